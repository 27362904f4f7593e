"""What a customer sees of her vouchers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from config.kernel.errors import DomainError
from vouchers import errors
from vouchers.models import Redemption, UseEnding, Voucher
from vouchers.queries.frozen_terms import terms
from vouchers.queries.refusals import explained_at_the_refund_desk
from vouchers.verdict import Terms, refusal_of_its_state, refusal_to_refund


@dataclass(frozen=True, slots=True)
class RefundNow:
    """What giving the voucher back would return at this moment, and why nothing, where it is nothing."""

    amount_fen: int
    refusal: DomainError | None


@dataclass(frozen=True, slots=True)
class VoucherDetail:
    """One voucher with its story."""

    voucher: Voucher
    terms: Terms
    redemptions: list[Redemption]
    endings: list[UseEnding]
    refund_now: RefundNow


def vouchers_of(customer_id: UUID, *, statuses: Collection[str] = ()) -> QuerySet[Voucher]:
    """A customer's vouchers, those of some statuses only where they are named."""
    vouchers = Voucher.objects.filter(customer_id=customer_id)
    return vouchers.filter(status__in=statuses) if statuses else vouchers


def showable(customer_id: UUID, voucher_id: UUID, *, at: datetime) -> Voucher:
    """
    One voucher of hers that a counter might take; where and on which day, the counter says.

    Raises:
        VoucherNotFound: not there, not hers, or another issuer's.
        VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld, VoucherExpired: there is nothing left to show.
    """
    voucher = vouchers_of(customer_id).filter(pk=voucher_id, issuer=Voucher.OWN).first()
    if voucher is None:
        raise errors.VoucherNotFound
    of_voucher = terms([voucher.terms_id])[voucher.terms_id]
    if refusal := refusal_of_its_state(voucher, of_voucher, at=max(at, voucher.valid_from)):
        raise explained_at_the_refund_desk(refusal, voucher=voucher, terms=of_voucher)
    return voucher


def detail(customer_id: UUID, voucher_id: UUID, *, at: datetime) -> VoucherDetail:
    """
    One voucher of hers with what was done to it and what refunding gives now.

    Raises:
        VoucherNotFound: not there, or not hers.
    """
    told = Prefetch("redemptions", Redemption.objects.select_related("store").order_by("redeemed_at", "id"))
    voucher = vouchers_of(customer_id).filter(pk=voucher_id).prefetch_related(told, "endings").first()
    if voucher is None:
        raise errors.VoucherNotFound
    of_voucher = terms([voucher.terms_id])[voucher.terms_id]
    redemptions, endings = list(voucher.redemptions.all()), list(voucher.endings.all())
    gone = {one.serial for one in redemptions if one.reversed_at is None} | {ending.serial for ending in endings}
    refusal = _refusal_to_refund(voucher, of_voucher, at=at)
    amount_fen = sum(amount for serial, amount in enumerate(voucher.use_amounts_fen, 1) if serial not in gone)
    return VoucherDetail(
        voucher=voucher,
        terms=of_voucher,
        redemptions=redemptions,
        endings=endings,
        refund_now=RefundNow(0, refusal) if refusal else RefundNow(amount_fen, None),
    )


def _refusal_to_refund(voucher: Voucher, terms: Terms, *, at: datetime) -> DomainError | None:
    if voucher.issuer != Voucher.OWN:
        return errors.RefundAtIssuer(issuer=voucher.issuer)
    refusal = refusal_to_refund(voucher, terms, at=at)
    return explained_at_the_refund_desk(refusal, voucher=voucher, terms=terms) if refusal else None
