"""Refunds of uses nobody drank: asked for by the customer, or due because they expired."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from config.kernel import audit
from config.kernel.caller import CallerKind
from config.kernel.errors import IdempotencyConflict
from config.kernel.jobs import nudge_after_commit
from orders import queries
from orders.models import LedgerTransfer, Refund, RefundRequest
from orders.services import ledger, refund_finishing
from orders.services.ledger import Posting
from vouchers.models import UseEnding, Voucher
from vouchers.services import returns


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """A request to give back; ``is_repeat`` where it had been answered before."""

    request: RefundRequest
    is_repeat: bool


def request_refund(*, voucher_id: UUID, customer_id: UUID, request_id: UUID, at: datetime) -> RefundAnswer:
    """
    Give back every unused use of a customer's voucher, at what was paid for each.

    Safe to retry: the same ``request_id`` finds the first answer. The uses are gone at once; the
    money is sent by a worker. Uses that cost nothing are done at once, with no refund to send.

    Raises:
        VoucherNotFound: no such voucher, or not hers.
        VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld, VoucherExpired, VoucherNotRefundable:
            nothing free is left of it, or its terms do not give money back.
        IdempotencyConflict: ``request_id`` came before for another voucher.
    """
    with transaction.atomic(durable=True):
        voucher = returns.lock_of_customer(voucher_id=voucher_id, customer_id=customer_id)
        # Under the lock: two copies of one request may arrive together.
        first = RefundRequest.objects.filter(customer_id=customer_id, request_id=request_id).first()
        if first is not None:
            if first.voucher_id != voucher_id:
                raise IdempotencyConflict(param="Idempotency-Key")
            return RefundAnswer(first, is_repeat=True)
        endings = returns.begin_refund(voucher_id=voucher_id, customer_id=customer_id, at=at)
        [given_back] = _by_voucher([voucher], endings)
        refunds = _refund([given_back], LedgerTransfer.Kind.REFUND_UNUSED, Refund.Source.VOUCHER, at=at)
        request = RefundRequest(
            customer_id=customer_id,
            request_id=request_id,
            voucher=given_back.voucher,
            refund=refunds[0] if refunds else None,
            amount_fen=given_back.amount_fen,
            requested_at=at,
        )
        try:
            request.save(force_insert=True)
        except IntegrityError as error:
            # The key went to another voucher between our look and our write.
            raise IdempotencyConflict(param="Idempotency-Key") from error
        audit.record(
            act="voucher.refund",
            actor_kind=CallerKind.CUSTOMER,
            actor_id=customer_id,
            subject_kind="refund_request",
            subject_id=request.pk,
            brand_id=given_back.voucher.brand_id,
            details={"voucher": given_back.voucher.public_id, "uses": len(endings), "amount_fen": request.amount_fen},
            at=at,
        )
    return RefundAnswer(request, is_repeat=False)


def refund_expired(*, limit: int, at: datetime) -> int:
    """
    Start the refunds of up to ``limit`` vouchers that expired and whose terms give the money back.

    Claimed by state with SKIP LOCKED; how many were taken. The caller's rate is the wave's rate: a
    million vouchers that expire at one midnight must not reach the provider at once.
    """
    with transaction.atomic(durable=True):
        endings = returns.begin_refunds_of_expired(limit=limit, at=at)
        given_back = give_back(
            endings, kind=LedgerTransfer.Kind.REFUND_EXPIRED, source=Refund.Source.EXPIRED_VOUCHER, at=at
        )
        for brand_id, count in Counter(voucher.brand_id for voucher in given_back).items():
            audit.record(
                act="vouchers.refund_expired",
                actor_kind=CallerKind.MACHINE,
                actor_id=None,
                subject_kind="voucher",
                subject_count=count,
                brand_id=brand_id,
                at=at,
            )
    return len(given_back)


def give_back(
    endings: Sequence[UseEnding], *, kind: LedgerTransfer.Kind, source: Refund.Source, at: datetime
) -> list[Voucher]:
    """
    Ask for the money of uses whose refund has just begun, a refund a voucher; returns their vouchers.

    Runs inside the caller's transaction. Each ending carries its ``voucher``.
    """
    assert connection.in_atomic_block, "money is asked for with the uses that end"
    given_back = _by_voucher([ending.voucher for ending in endings], endings)
    _refund(given_back, kind, source, at=at)
    return [one.voucher for one in given_back]


@dataclass(frozen=True, slots=True)
class _GivenBack:
    """A voucher and what its uses that have just ended had cost."""

    voucher: Voucher
    amount_fen: int


def _by_voucher(vouchers: Sequence[Voucher], endings: Sequence[UseEnding]) -> list[_GivenBack]:
    amounts: defaultdict[UUID, int] = defaultdict(int)
    for ending in endings:
        amounts[ending.voucher_id] += ending.amount_fen
    return [_GivenBack(voucher, amounts[voucher.pk]) for voucher in {v.pk: v for v in vouchers}.values()]


def _refund(
    given_back: Sequence[_GivenBack], kind: LedgerTransfer.Kind, source: Refund.Source, *, at: datetime
) -> list[Refund]:
    """The refunds of what is worth something, posted and about to be sent; the rest is finished."""
    worthless = [one.voucher.pk for one in given_back if not one.amount_fen]
    if worthless:
        refund_finishing.finish(voucher_ids=worthless, at=at)
    paid = [one for one in given_back if one.amount_fen]
    if not paid:
        return []
    paid_by = queries.paid_by({one.voucher.source_id for one in paid})
    refunds = Refund.objects.bulk_create(
        Refund(
            payment_id=paid_by[one.voucher.source_id].payment_id,
            purchase_id=one.voucher.source_id,
            customer_id=one.voucher.customer_id,
            source_kind=source,
            source_id=one.voucher.pk,
            amount_fen=one.amount_fen,
            due_at=at,
            requested_at=at,
        )
        for one in paid
    )
    ledger.post(
        [
            Posting(
                kind=kind,
                brand_id=one.voucher.brand_id,
                amount_fen=refund.amount_fen,
                source_kind="refund",
                source_id=refund.pk,
            )
            for one, refund in zip(paid, refunds, strict=True)
        ],
        at=at,
    )
    nudge_after_commit("orders.send_refunds", queue="outside")
    return refunds
