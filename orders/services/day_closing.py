"""The end of a provider's day: compared, every difference explained, and from then on as it is."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import Caller
from orders.errors import BillNotFound, DayNotExplained
from orders.models import BillDifference, BillFile, DayClose
from orders.services import bills
from stores.services.made import Made


def close(*, brand_id: UUID, provider: str, day: date, by: Caller, at: datetime) -> Made[DayClose]:
    """
    Close a provider's day for good: no other bill is taken for it any more. The same again finds the first.

    Raises:
        BillNotFound: no bill of that day has been taken.
        DayNotExplained: differences are still open.
    """
    named = {"brand_id": brand_id, "provider": provider, "bill_date": day}
    with transaction.atomic(durable=True):
        # A bill of this or of another day may be on its way, with differences or with what explains them.
        bills.lock(brand_id=brand_id, provider=provider)
        if closed := DayClose.objects.filter(**named).first():
            return Made(closed, is_new=False)
        bill = BillFile.objects.filter(**named, superseded_at__isnull=True).first()
        if bill is None:
            raise BillNotFound
        differences = BillDifference.objects.filter(bill=bill)
        if waiting := differences.filter(closed_at__isnull=True).count():
            raise DayNotExplained(bill_date=day.isoformat(), open=waiting)
        closed = DayClose.objects.create(
            **named,
            bill=bill,
            difference_count=differences.count(),
            captured_fen=bill.captured_fen,
            refunded_fen=bill.refunded_fen,
            fee_fen=bill.fee_fen,
            closed_by_id=by.id,
            closed_at=at,
        )
        audit.record(
            act="day.closed",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=brand_id,
            subject_kind="dayclose",
            subject_id=closed.id,
            details={
                "provider": provider,
                "bill_date": day.isoformat(),
                "bill": bill.public_id,
                "differences": closed.difference_count,
            },
            at=at,
        )
        return Made(closed, is_new=True)
