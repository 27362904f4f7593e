"""Surcharges that end without a drink: not paid in time, or given back because the redemption was undone."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from config.kernel import audit
from config.kernel.caller import MACHINE
from config.kernel.ids import parse
from config.kernel.jobs import nudge_after_commit
from orders.models import LedgerTransfer, Refund, Surcharge
from orders.providers import registry
from orders.providers.interface import NoticeEvent, PaymentState
from orders.services import asking, ledger, notices, surcharge_locks
from orders.services.ledger import Posting
from orders.services.surcharges import posting
from orders.services.unpaid import ASK_AGAIN_SECONDS

Status, Way = Surcharge.Status, Surcharge.Way


def give_back(*, redemption_ids: Collection[UUID], at: datetime) -> None:
    """
    The redemptions were undone: what waits for its money is closed, what was paid goes back the way it came.

    Runs inside the undo's transaction; locks the surcharges in key order, so a capture that is being applied is
    either given back here or comes too late and is refunded as that.
    """
    assert connection.in_atomic_block, "a surcharge goes back with its drink"
    touched = surcharge_locks.lock_of(redemption_ids)
    if not touched:
        return
    postings: list[Posting] = []
    refunds: list[Refund] = []
    for surcharge in touched:
        if surcharge.status == Status.OPEN:
            surcharge.status, surcharge.closed_at = Status.CLOSED, at
        elif surcharge.way == Way.TILL:
            surcharge.status, surcharge.returning_at, surcharge.given_back_at = Status.GIVEN_BACK, at, at
            postings.append(posting(LedgerTransfer.Kind.SURCHARGE_BACK_AT_TILL, surcharge))
        else:
            surcharge.status, surcharge.returning_at = Status.RETURNING, at
            refunds.append(_refund(surcharge, at=at))
    Surcharge.objects.bulk_update(touched, ["status", "closed_at", "returning_at", "given_back_at"])
    Refund.objects.bulk_create(refunds)
    brands = {surcharge.pk: surcharge.brand_id for surcharge in touched}
    postings += [
        Posting(
            kind=LedgerTransfer.Kind.SURCHARGE_REFUND,
            brand_id=brands[refund.source_id],
            amount_fen=refund.amount_fen,
            source_kind="refund",
            source_id=refund.pk,
        )
        for refund in refunds
    ]
    ledger.post(postings, at=at)
    if refunds:
        nudge_after_commit("orders.send_refunds", queue="outside")


def close_unpaid(*, limit: int, at: datetime) -> int:
    """
    Give up on up to ``limit`` surcharges nobody paid in time, each only after its provider has said so; how many
    were closed or found paid.

    One found paid goes into the inbox as a capture; one whose provider is silent is asked again later. Safe to
    repeat and to run beside itself: a surcharge is claimed for a minute, and closed under its lock while OPEN.
    """
    by_provider = _claim(limit, at=at)
    closed: list[UUID] = []
    captured: list[NoticeEvent] = []
    for name, references in by_provider.items():
        provider = registry.by_name(name)
        asked = asking.answers(provider.ask, references)
        to_close = [answer.reference for answer in asked if answer.state != PaymentState.CAPTURED]
        answers = asking.answers(provider.close, to_close)
        for answer in (*asked, *answers):
            captured.extend(asking.capture_events(name, answer))
        closed += [
            parse(Surcharge.PREFIX, answer.reference) for answer in answers if answer.state == PaymentState.CLOSED
        ]
    if captured:
        notices.store_notices(captured, at=at)
    return _close(closed, at=at) + len({event.reference for event in captured})


def _claim(limit: int, *, at: datetime) -> dict[str, list[str]]:
    payable_since = at - timedelta(seconds=settings.SURCHARGE_PAYABLE_SECONDS)
    nobody_asks = Q(asked_at__isnull=True) | Q(asked_at__lte=at - timedelta(seconds=ASK_AGAIN_SECONDS))
    references: defaultdict[str, list[str]] = defaultdict(list)
    with transaction.atomic(durable=True):
        due = Surcharge.objects.select_for_update(no_key=True, skip_locked=True).filter(
            nobody_asks, status=Status.OPEN, created_at__lte=payable_since
        )
        claimed = list(due.order_by("created_at")[:limit])
        Surcharge.objects.filter(pk__in=[one.pk for one in claimed]).update(asked_at=at)
    for one in claimed:
        references[one.provider].append(one.public_id)
    return references


def _close(ids: Collection[UUID], *, at: datetime) -> int:
    if not ids:
        return 0
    with transaction.atomic(durable=True):
        waiting = [one.pk for one in surcharge_locks.lock(ids) if one.status == Status.OPEN]
        Surcharge.objects.filter(pk__in=waiting).update(status=Status.CLOSED, closed_at=at)
        if waiting:
            audit.record(
                act="surcharges.closed_unpaid",
                actor_kind=MACHINE.kind,
                actor_id=None,
                subject_kind="surcharge",
                subject_count=len(waiting),
                at=at,
            )
    return len(waiting)


def _refund(surcharge: Surcharge, *, at: datetime) -> Refund:
    return Refund(
        surcharge=surcharge,
        customer_id=surcharge.customer_id,
        source_kind=Refund.Source.SURCHARGE,
        source_id=surcharge.pk,
        amount_fen=surcharge.amount_fen,
        due_at=at,
        requested_at=at,
    )
