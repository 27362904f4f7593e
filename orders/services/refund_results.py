"""What a provider did with our refunds: the voucher is refunded when the money has left, not before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.kernel import audit
from config.kernel.caller import MACHINE
from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import LedgerTransfer, Refund
from orders.providers.interface import EventKind
from orders.services import alarms, ledger, refund_failures, refund_finishing, surcharge_finishing
from orders.services.inbox import Outcome, StoredNotice
from orders.services.ledger import Posting

LOCK_REFUNDS = """
    SELECT r.id, coalesce(p.brand_id, o.brand_id, s.brand_id), coalesce(y.provider, s.provider), r.source_kind,
        r.source_id, r.amount_fen, r.status
    FROM orders_refund r
    LEFT JOIN orders_purchase p ON p.id = r.purchase_id
    LEFT JOIN orders_storeorder o ON o.id = r.store_order_id
    LEFT JOIN orders_payment y ON y.id = r.payment_id
    LEFT JOIN orders_surcharge s ON s.id = r.surcharge_id
    WHERE r.id = ANY(%(ids)s) ORDER BY r.id FOR NO KEY UPDATE OF r
"""
SUCCEED = """
    UPDATE orders_refund r SET status = 'succeeded', succeeded_at = k.at, last_error = ''
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, at timestamptz) WHERE r.id = k.id
"""

OF_VOUCHERS = (Refund.Source.VOUCHER, Refund.Source.EXPIRED_VOUCHER)


@dataclass(slots=True)
class _Refund:
    id: UUID
    brand_id: UUID
    provider: str
    source_kind: str
    source_id: UUID
    amount_fen: int
    status: str


def apply(notices: Sequence[StoredNotice], *, at: datetime) -> dict[int, Outcome | None]:
    """
    Apply what became of refunds: SUCCEEDED frees voucher and purchase of them, FAILED is sent again later.

    Runs inside the caller's transaction; locks refunds, vouchers, purchases and offers, each in key order.
    None for a refund we do not know, or one whose amount is not ours: people must look at it.
    """
    assert connection.in_atomic_block, "a refund ends with its notice"
    refunds = _locked(notices)
    outcomes: dict[int, Outcome | None] = {}
    succeeded: dict[UUID, datetime] = {}
    failed: set[UUID] = set()
    unknown = []
    for notice in notices:
        refund_id = notice.subject_id(Refund.PREFIX)
        refund = refunds.get(refund_id) if refund_id else None
        if refund is None or refund.provider != notice.provider or refund.amount_fen != notice.amount_fen:
            outcomes[notice.id] = None
            if notice.looks == 0:
                unknown.append(notice.reference)
        elif refund.status == Refund.Status.SUCCEEDED or refund.id in succeeded:
            outcomes[notice.id] = Outcome.REPEATED
        elif notice.kind == EventKind.REFUND_SUCCEEDED:
            outcomes[notice.id] = Outcome.APPLIED
            succeeded[refund.id] = notice.occurred_at
        else:
            outcomes[notice.id] = Outcome.APPLIED
            failed.add(refund.id)
    _write([refunds[key] for key in sorted(succeeded)], succeeded, failed - succeeded.keys(), at=at)
    if unknown:
        alarms.raise_alarm(reason="unknown_refund", subject_kind="payment_notice", references=unknown, at=at)
    return outcomes


def _locked(notices: Sequence[StoredNotice]) -> dict[UUID, _Refund]:
    ids = [key for notice in notices if (key := notice.subject_id(Refund.PREFIX)) is not None]
    with pipelined() as send:
        locking = send(LOCK_REFUNDS, {"ids": ids})
    return {row[0]: _Refund(*row) for row in locking.fetchall()}


def _write(done: Sequence[_Refund], times: dict[UUID, datetime], failed: set[UUID], *, at: datetime) -> None:
    refund_failures.fail(dict.fromkeys(failed, "the provider reported that it failed"), at=at)
    if not done:
        return
    with pipelined() as send:
        send(SUCCEED, {"rows": as_jsonb([{"id": refund.id, "at": times[refund.id]} for refund in done])})
    of_vouchers = {refund.source_id for refund in done if refund.source_kind in OF_VOUCHERS}
    if of_vouchers:
        refund_finishing.finish(voucher_ids=sorted(of_vouchers), at=at)
    if of_surcharges := [refund.source_id for refund in done if refund.source_kind == Refund.Source.SURCHARGE]:
        surcharge_finishing.finish(surcharge_ids=of_surcharges, at=at)
    ledger.post(
        [
            Posting(
                kind=LedgerTransfer.Kind.REFUND_PAID,
                brand_id=refund.brand_id,
                amount_fen=refund.amount_fen,
                source_kind="refund",
                source_id=refund.id,
                owner=refund.provider,
            )
            for refund in done
        ],
        at=at,
    )
    audit.record(
        act="refunds.succeeded",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="refund",
        subject_count=len(done),
        at=at,
    )
