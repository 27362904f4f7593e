"""Refunds their provider refused: sent again ever later, and at last people's work."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from config.kernel.ids import public
from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import as_jsonb, pipelined
from orders import queries
from orders.errors import RefundNotGivenUp
from orders.models import Refund
from orders.services import alarms
from stores.services import trail

LOCK = "SELECT id FROM orders_refund WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"
FAIL = """
    UPDATE orders_refund r SET status = 'failed', last_error = left(k.reason, 256)
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, reason text)
    WHERE r.id = k.id AND r.status = 'sent' RETURNING r.id, r.attempts
"""


def fail(reasons: Mapping[UUID, str], *, at: datetime) -> None:
    """
    Mark SENT refunds as FAILED, each with its provider's reason, and alarm those that had their last attempt:
    nobody sends them any more, and ``queries.refunds_given_up`` lists them.

    Runs inside the caller's transaction; locks in key order. One that has succeeded meanwhile stays so.
    """
    assert connection.in_atomic_block, "a failure commits with what told of it"
    if not reasons:
        return
    rows = [{"id": refund_id, "reason": reason} for refund_id, reason in reasons.items()]
    with pipelined() as send:
        send(LOCK, {"ids": list(reasons)})
        failed = send(FAIL, {"rows": as_jsonb(rows)})
    given_up = [
        public(Refund.PREFIX, refund_id)
        for refund_id, attempts in failed.fetchall()
        if attempts >= Refund.MOST_ATTEMPTS
    ]
    if given_up:
        alarms.raise_alarm(reason="refund_given_up", subject_kind="refund", references=given_up, at=at)


def retry(*, refund: Refund, by: Caller, at: datetime) -> Refund:
    """
    Send a refund that was given up once more, with as many attempts as a new one: somebody has seen to its cause.

    Twice is once: the second finds it worked on.

    Raises:
        RefundNotGivenUp: it has succeeded, or is still tried by itself.
    """
    with transaction.atomic(durable=True):
        locked = Refund.objects.select_for_update(no_key=True, of=("self",)).get(pk=refund.pk)
        if locked.status != Refund.Status.FAILED or locked.attempts < Refund.MOST_ATTEMPTS:
            raise RefundNotGivenUp(status=locked.status)
        locked.attempts, locked.due_at = 0, at
        locked.save(update_fields=["attempts", "due_at"])
        brand_id = queries.brand_of_refund(locked)
        trail.leave("refund.retried", locked, brand_id=brand_id, by=by, at=at, details={"error": locked.last_error})
        nudge_after_commit("orders.send_refunds", queue="outside")
        return locked
