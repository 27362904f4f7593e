"""Fetching providers' bills, a day after it ended: the file first, on disk, then the comparison."""

import logging
from datetime import date, datetime, timedelta
from tempfile import TemporaryFile
from typing import IO
from uuid import UUID

from config.kernel.caller import MACHINE
from config.kernel.errors import DomainError
from orders.errors import BillNotReady
from orders.models import Account, BillFile
from orders.providers import registry
from orders.providers.bill_file import ZONE
from orders.providers.interface import ProviderSilent
from orders.services import bills
from orders.services.bills import TakenBill

log = logging.getLogger(__name__)

READY_AFTER = timedelta(hours=10)
"""A provider writes a day's bill in the night and promises it for the morning."""
LOOKS_BACK = timedelta(days=7)


def fetch_due(*, at: datetime) -> int:
    """
    Fetch the bills of the last week that are due and that nobody has taken, for every brand; how many were taken.

    What a provider does not have yet, or what cannot be taken, is logged and left for the next time.
    """
    taken = 0
    for provider, day, brands in _due(at):
        with TemporaryFile() as file:
            try:
                registry.by_name(provider).bill(day, file)
            except (BillNotReady, ProviderSilent) as trouble:
                log.warning("no bill of %s for %s: %s", provider, day, trouble)
                continue
            taken += sum(_taken(brand_id, provider, day, file, at=at) is not None for brand_id in brands)
    return taken


def _due(at: datetime) -> list[tuple[str, date, list[UUID]]]:
    """Days that are over, with the brands that have an account at the provider and no bill of that day."""
    last = (at.astimezone(ZONE) - READY_AFTER).date() - timedelta(days=1)
    accounts = Account.objects.filter(kind=Account.Kind.PROVIDER_CLEARING, owner__in=registry.NAMES)
    days = [last - timedelta(days=back) for back in range(LOOKS_BACK.days)]
    there = set(
        BillFile.objects.filter(bill_date__in=days, superseded_at__isnull=True).values_list(
            "brand_id", "provider", "bill_date"
        )
    )
    due: dict[tuple[str, date], list[UUID]] = {}
    for account in accounts.order_by("brand_id"):
        began = account.created_at.astimezone(ZONE).date()
        for day in days:
            if day >= began and (account.brand_id, account.owner, day) not in there:
                due.setdefault((account.owner, day), []).append(account.brand_id)
    return [(provider, day, brands) for (provider, day), brands in sorted(due.items())]


def _taken(brand_id: UUID, provider: str, day: date, file: IO[bytes], *, at: datetime) -> TakenBill | None:
    try:
        return bills.take(brand_id=brand_id, provider=provider, day=day, source=file, by=MACHINE, at=at)
    except DomainError as refusal:
        log.error("the bill of %s for %s cannot be taken: %s", provider, day, refusal.message("en"))
        return None
