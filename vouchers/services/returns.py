"""Unused uses on their way back to money: building blocks for the refunds of the app above."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from vouchers import errors, queries
from vouchers.models import UseEnding, Voucher
from vouchers.queries.refusals import explained_at_the_refund_desk
from vouchers.services import endings, voucher_locks
from vouchers.verdict import refusal_to_refund

PICK_EXPIRED = """
    SELECT id FROM vouchers_voucher WHERE id IN (
        SELECT voucher_id FROM vouchers_useending WHERE refund_follows AND refunding_at IS NULL
        ORDER BY expired_at LIMIT %(limit)s
    ) ORDER BY brand_id, issuer, code FOR NO KEY UPDATE SKIP LOCKED
"""
BEGIN_REFUNDS = """
    UPDATE vouchers_useending SET refunding_at = %(at)s
    WHERE voucher_id = ANY(%(ids)s) AND refund_follows AND refunding_at IS NULL
    RETURNING id
"""
FINISH_REFUNDS = """
    UPDATE vouchers_useending SET refunded_at = %(at)s
    WHERE voucher_id = ANY(%(ids)s) AND refunding_at IS NOT NULL AND refunded_at IS NULL
"""
# A use that was undone meanwhile is free again; no ending is refunding any more.
AFTER_REFUND = """
    UPDATE vouchers_voucher SET status = CASE
        WHEN uses_held > 0 THEN 'held' WHEN uses_left > 0 THEN 'issued' ELSE 'refunded' END
    WHERE id = ANY(%(ids)s) AND status = 'refunding'
"""


def lock_of_customer(*, voucher_id: UUID, customer_id: UUID) -> Voucher:
    """
    Lock a customer's voucher, so that a first answer may be looked for before ``begin_refund``.

    Runs inside the caller's transaction.

    Raises:
        VoucherNotFound: not there, or not hers.
    """
    voucher = next(iter(voucher_locks.lock([voucher_id])), None)
    if voucher is None or voucher.customer_id != customer_id:
        raise errors.VoucherNotFound
    return voucher


def begin_refund(*, voucher_id: UUID, customer_id: UUID, at: datetime) -> tuple[UseEnding, ...]:
    """
    ISSUED → REFUNDING: end every free use at its own amount; nobody redeems them any more.

    Runs inside the caller's transaction, which asks the provider for the money. Locks the voucher, so
    of two refunds, or a refund and a redemption, one wins.

    Raises:
        VoucherNotFound: not there, or not hers.
        RefundAtIssuer: another platform sold it.
        VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld: somebody was first.
        VoucherExpired: its time is over; whether money goes back then, its terms decide by themselves.
        VoucherNotRefundable: the terms give nothing back for unused uses.
    """
    voucher = lock_of_customer(voucher_id=voucher_id, customer_id=customer_id)
    if voucher.issuer != Voucher.OWN:
        raise errors.RefundAtIssuer(issuer=voucher.issuer)
    terms = queries.terms([voucher.terms_id])[voucher.terms_id]
    if refusal := refusal_to_refund(voucher, terms, at=at):
        raise explained_at_the_refund_desk(refusal, voucher=voucher, terms=terms)
    return tuple(endings.refund_free_uses(voucher, at=at))


def begin_refunds_of_expired(*, limit: int, at: datetime) -> list[UseEnding]:
    """
    EXPIRED → REFUNDING for the vouchers of the ``limit`` oldest uses whose refund follows by their terms.

    Runs inside the caller's transaction. What another worker has locked is left to it; an empty list
    means that there was nothing to begin. Each ending carries its ``voucher``.
    """
    assert connection.in_atomic_block, "a refund begins with the request that sends it"
    with connection.cursor() as cursor:
        cursor.execute(PICK_EXPIRED, {"limit": limit})
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return []
        cursor.execute(BEGIN_REFUNDS, {"ids": ids, "at": at})
        begun = [row[0] for row in cursor.fetchall()]
    Voucher.objects.filter(endings__id__in=begun).update(status=Voucher.Status.REFUNDING)
    return list(UseEnding.objects.filter(id__in=begun).select_related("voucher").order_by("voucher_id", "serial"))


def begin_refunds_of_terms(*, terms_ids: Collection[UUID], limit: int, at: datetime) -> list[UseEnding]:
    """
    ISSUED → REFUNDING for up to ``limit`` vouchers of terms that can be met no more, whatever those say of refunds.

    Runs inside the caller's transaction. Claimed by state: what another has locked is left for the next time, as
    is a voucher that is held; another issuer's are that issuer's to give back. Each ending carries its ``voucher``.
    """
    vouchers = claim_open(terms_ids, limit=limit)
    return endings.refund_free_uses_of(vouchers, at=at) if vouchers else []


def claim_open(terms_ids: Collection[UUID], *, limit: int) -> list[Voucher]:
    """Up to ``limit`` vouchers of ours with a free use and none held, locked; those locked elsewhere are skipped."""
    assert connection.in_atomic_block, "a lock ends with its transaction"
    return list(
        Voucher.objects.select_for_update(no_key=True, skip_locked=True).filter(
            terms_id__in=terms_ids, status=Voucher.Status.ISSUED, issuer=Voucher.OWN
        )[:limit]
    )


def finish_refund(*, voucher_ids: Sequence[UUID], at: datetime) -> None:
    """
    REFUNDING → REFUNDED: the money has left. Doing it again changes nothing.

    Runs inside the caller's transaction and locks the vouchers in key order.
    """
    if not voucher_locks.lock(voucher_ids):
        return
    with connection.cursor() as cursor:
        cursor.execute(FINISH_REFUNDS, {"ids": list(voucher_ids), "at": at})
        cursor.execute(AFTER_REFUND, {"ids": list(voucher_ids)})
