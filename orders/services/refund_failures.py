"""Refunds their provider refused: sent again ever later, and at last people's work."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.kernel.ids import public
from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import Refund
from orders.services import alarms

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
