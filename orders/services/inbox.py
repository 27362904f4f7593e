"""The inbox's rows: who holds which, what became of them. What they mean is said in captures and refund_results."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from config.kernel.errors import MalformedId
from config.kernel.ids import parse
from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import PaymentNotice
from orders.providers.interface import EventKind

LOOK_AGAIN_FIRST_SECONDS = 60
LOOK_AGAIN_AT_LEAST_SECONDS = 6 * 60 * 60

CLAIM = """
    SELECT id, provider, kind, reference, provider_reference, amount_fen, currency, occurred_at, looks
    FROM orders_paymentnotice
    WHERE applied_at IS NULL AND kind = ANY(%(kinds)s) AND look_at <= %(at)s
    ORDER BY look_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""
SETTLE = """
    UPDATE orders_paymentnotice n SET applied_at = %(at)s, outcome = k.outcome
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id bigint, outcome text) WHERE n.id = k.id
"""
LOOK_AGAIN = """
    UPDATE orders_paymentnotice
    SET looks = least(looks + 1, 1000),
        look_at = %(at)s::timestamptz + least(%(first)s * 2 ^ least(looks, 20), %(last)s) * interval '1 second'
    WHERE id = ANY(%(ids)s)
"""

Outcome = PaymentNotice.Outcome


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A claimed row of the inbox."""

    id: int
    provider: str
    kind: str
    reference: str
    provider_reference: str
    amount_fen: int
    currency: str
    occurred_at: datetime
    looks: int

    def subject_id(self, prefix: str) -> UUID | None:
        """Our row's id; None where the reference is not one of ours at all."""
        try:
            return parse(prefix, self.reference)
        except MalformedId:
            return None


def claim(*, kinds: Collection[EventKind], limit: int, at: datetime) -> list[StoredNotice]:
    """Take up to ``limit`` unapplied notices nobody else holds, those that waited longest first."""
    with pipelined() as send:
        claimed = send(CLAIM, {"kinds": list(kinds), "limit": limit, "at": at})
    return [StoredNotice(*row) for row in claimed.fetchall()]


def settle(outcomes: Mapping[int, Outcome | None], *, at: datetime) -> None:
    """Write what became of claimed notices; one without an outcome is looked at again, ever later."""
    rows = [{"id": key, "outcome": outcome} for key, outcome in outcomes.items() if outcome is not None]
    unknown = [key for key, outcome in outcomes.items() if outcome is None]
    again = {
        "ids": unknown,
        "at": at,
        "first": LOOK_AGAIN_FIRST_SECONDS,
        "last": LOOK_AGAIN_AT_LEAST_SECONDS,
    }
    with pipelined() as send:
        if rows:
            send(SETTLE, {"rows": as_jsonb(rows), "at": at})
        if unknown:
            send(LOOK_AGAIN, again)
