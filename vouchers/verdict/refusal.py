"""
May this voucher be used here and now? One answer for the product page, checkout, the console and the refund desk.

Pure: terms as they hold, the voucher's own facts, a store, a bill and a moment go in; the refusal that
applies first comes out, or None. No clock, no database; about 5 µs a call.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from config.kernel.errors import DomainError
from vouchers import errors
from vouchers.models import DealTerms, Voucher
from vouchers.verdict.calendar import is_in_calendar
from vouchers.verdict.terms import Place, Terms, VoucherFacts, valid_until_of

Refusal = type[DomainError]


def refusal_of(
    voucher: VoucherFacts | None, terms: Terms | None, *, store: Place, bill_fen: int | None, at: datetime
) -> Refusal | None:
    """The first refusal that applies to one use of the voucher, or None where it is usable."""
    if voucher is None or terms is None:
        return errors.VoucherNotFound
    return (
        refusal_of_its_state(voucher, terms, at=at)
        or _refusal_of_place_and_hour(terms, store=store, at=at)
        or _refusal_of_the_bill(terms, bill_fen=bill_fen)
    )


def refusal_of_its_state(voucher: VoucherFacts, terms: Terms, *, at: datetime) -> Refusal | None:
    """What of the voucher itself stands in the way: its state, then its time."""
    status = voucher.status
    if status in (Voucher.Status.REFUNDING, Voucher.Status.REFUNDED):
        return errors.VoucherRefunded
    if status == Voucher.Status.USED:
        return errors.VoucherAlreadyRedeemed
    if voucher.uses_held:
        return errors.VoucherHeld
    if at < voucher.valid_from:
        return errors.VoucherNotYetValid
    if status == Voucher.Status.EXPIRED:
        return errors.VoucherExpired
    if at >= voucher.valid_until and at >= valid_until_of(voucher, terms):
        return errors.VoucherExpired
    return None


def refusal_to_refund(voucher: VoucherFacts, terms: Terms, *, at: datetime) -> Refusal | None:
    """
    Why nothing of the voucher can be given back now, or None.

    What is not valid yet may be given back; once its time is over its terms decide by themselves.
    """
    refusal = refusal_of_its_state(voucher, terms, at=max(at, voucher.valid_from))
    if refusal is None and not terms.refundable_unused:
        return errors.VoucherNotRefundable
    return refusal


def refusal_together(used: Iterable[tuple[UUID, Terms]]) -> tuple[Refusal, Terms] | None:
    """
    Why vouchers that are usable one by one are not in one order, and whose terms say so.

    A request at the counter is one order, whoever's vouchers they are: ``max_per_order`` counts vouchers
    of one deal (not uses of a card), and among vouchers that name a stacking group all name the same.
    """
    vouchers_of: dict[UUID, set[UUID]] = {}
    group = ""
    for voucher_id, terms in used:
        of_deal = vouchers_of.setdefault(terms.deal_id, set())
        of_deal.add(voucher_id)
        if terms.max_per_order is not None and len(of_deal) > terms.max_per_order:
            return errors.TooManyOfOneDeal, terms
        if terms.stacking_group and group and terms.stacking_group != group:
            return errors.VouchersDoNotCombine, terms
        group = group or terms.stacking_group
    return None


def status_of(*, uses_left: int, uses_held: int, refunding: bool, refunded: bool, expired: bool) -> Voucher.Status:
    """A voucher's status from its facts, first that holds; the three flags are true where any use is so."""
    if refunding:
        return Voucher.Status.REFUNDING
    if uses_held:
        return Voucher.Status.HELD
    if uses_left:
        return Voucher.Status.ISSUED
    if refunded:
        return Voucher.Status.REFUNDED
    return Voucher.Status.EXPIRED if expired else Voucher.Status.USED


def why_not_here(terms: Terms, *, store: Place) -> str | None:
    """Which rule keeps the store out, by the name that ``words.rules_in_words`` gives it; None where none does."""
    if not terms.scope.honours(store.store_id, store.region_ids, store.group_ids):
        return "store_scope"
    if store.is_dearer and terms.dearer_stores == DealTerms.DearerStores.EXCLUDED:
        return "dearer_stores"
    return None


def _refusal_of_place_and_hour(terms: Terms, *, store: Place, at: datetime) -> Refusal | None:
    if why_not_here(terms, store=store) is not None:
        return errors.WrongStore
    if terms.has_calendar and not is_in_calendar(terms, zone=store.zone, at=at):
        return errors.VoucherNotUsableNow
    return None


def _refusal_of_the_bill(terms: Terms, *, bill_fen: int | None) -> Refusal | None:
    if not terms.needs_bill:
        return None
    if bill_fen is None:
        return errors.BillAmountRequired
    return errors.MinSpendNotReached if bill_fen < terms.min_spend_fen else None
