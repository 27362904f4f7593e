"""
What the ledger hears from vouchers, inside the transaction that made it true.

What a purchase paid for is owed until it is used. A platform's voucher was paid for there, so its uses carry
money only once they are redeemed: the platform owes it then. A granted voucher carries none.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.dispatch import receiver

from orders.models import LedgerTransfer
from orders.services import ledger, surcharge_endings
from orders.services.ledger import Posting
from vouchers import signals
from vouchers.models import Redemption, UseEnding, Voucher

_KIND = LedgerTransfer.Kind


@receiver(signals.redeemed)
def post_redemptions(*, redemptions: Sequence[Redemption], at: datetime, **_: Any) -> None:
    """Uses were consumed: what was paid for them waits for settlement."""
    postings = _of_redemptions(_KIND.REDEMPTION, redemptions)
    ledger.post(postings + _of_platforms(_KIND.PLATFORM_REDEMPTION, _KIND.PLATFORM_SUBSIDY, redemptions), at=at)


@receiver(signals.reversed_)
def give_surcharges_back(*, redemptions: Sequence[Redemption], at: datetime, **_: Any) -> None:
    """Redemptions were undone: what was paid beyond their vouchers goes back, too; first, as it locks."""
    surcharge_endings.give_back(redemption_ids=[redemption.pk for redemption in redemptions], at=at)


@receiver(signals.reversed_)
def post_reversals(*, redemptions: Sequence[Redemption], at: datetime, **_: Any) -> None:
    """Redemptions were undone: their uses are owed again, or their platform owes nothing for them."""
    postings = _of_redemptions(_KIND.REVERSAL, redemptions)
    ledger.post(postings + _of_platforms(_KIND.PLATFORM_REVERSAL, _KIND.PLATFORM_SUBSIDY_BACK, redemptions), at=at)


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


def _of_platforms(
    customers: LedgerTransfer.Kind, platforms: LedgerTransfer.Kind, redemptions: Sequence[Redemption]
) -> list[Posting]:
    """The parts of uses that platforms sold, each of its own kind; what the brand gave up itself is nobody's debt."""
    sold = [one for one in redemptions if one.voucher.source_kind == Voucher.Source.PLATFORM]
    prefetch_related_objects(sold, "voucher__at_issuer")
    return [
        Posting(kind, one.voucher.brand_id, fen[one.serial - 1], "redemption", one.pk, owner=one.voucher.issuer)
        for one in sold
        for kind, fen in (
            (customers, one.voucher.at_issuer.customer_fen),
            (platforms, one.voucher.at_issuer.platform_fen),
        )
        if fen[one.serial - 1]
    ]


def _carries_money(use: Redemption | UseEnding) -> bool:
    return use.amount_fen > 0 and use.voucher.source_kind == Voucher.Source.PURCHASE
