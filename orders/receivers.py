"""
What the ledger hears from vouchers, inside the transaction that made it true.

Only vouchers that a purchase paid for carry money here: a granted one is worth 0 fen, and another
issuer's was paid for elsewhere.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.dispatch import receiver

from orders.models import LedgerTransfer
from orders.services import ledger
from orders.services.ledger import Posting
from vouchers import signals
from vouchers.models import Redemption, UseEnding, Voucher


@receiver(signals.redeemed)
def post_redemptions(*, redemptions: Sequence[Redemption], at: datetime, **_: Any) -> None:
    """Uses were consumed: what was owed for them waits for settlement."""
    ledger.post(_of_redemptions(LedgerTransfer.Kind.REDEMPTION, redemptions), at=at)


@receiver(signals.reversed_)
def post_reversals(*, redemptions: Sequence[Redemption], at: datetime, **_: Any) -> None:
    """Redemptions were undone: their uses are owed again."""
    ledger.post(_of_redemptions(LedgerTransfer.Kind.REVERSAL, redemptions), at=at)


@receiver(signals.uses_expired)
def post_breakage(*, endings: Sequence[UseEnding], at: datetime, **_: Any) -> None:
    """Uses expired: where no refund follows, the money is the brand's; where one does, it is still owed."""
    prefetch_related_objects(endings, "voucher")
    ledger.post(
        [
            Posting(
                kind=LedgerTransfer.Kind.BREAKAGE,
                brand_id=ending.voucher.brand_id,
                amount_fen=ending.amount_fen,
                source_kind="use_ending",
                source_id=ledger.row_source(ending.pk),
            )
            for ending in endings
            if not ending.refund_follows and _carries_money(ending)
        ],
        at=at,
    )


def _of_redemptions(kind: LedgerTransfer.Kind, redemptions: Sequence[Redemption]) -> list[Posting]:
    prefetch_related_objects(redemptions, "voucher")
    return [
        Posting(
            kind=kind,
            brand_id=redemption.voucher.brand_id,
            amount_fen=redemption.amount_fen,
            source_kind="redemption",
            source_id=redemption.pk,
        )
        for redemption in redemptions
        if _carries_money(redemption)
    ]


def _carries_money(use: Redemption | UseEnding) -> bool:
    return use.amount_fen > 0 and use.voucher.source_kind == Voucher.Source.PURCHASE
