"""Uses that can no longer be undone are settled: claimed by their state, each once."""

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

NOT_ASKED = """NOT EXISTS (
    SELECT FROM vouchers_issuercall asked
    WHERE asked.redemption_id = redemption.id AND asked.outcome IN ('unknown', 'pending'))"""
# Oldest first, along ``redemption_to_settle``, which has only what is not settled yet.
LOCK_DUE = f"""
SELECT id FROM vouchers_redemption redemption
WHERE settled_at IS NULL AND reversed_at IS NULL AND reversible_until <= %(at)s AND {NOT_ASKED}
ORDER BY reversible_until LIMIT %(limit)s FOR NO KEY UPDATE OF redemption SKIP LOCKED
"""  # noqa: S608 - constants
# What a platform is being asked to undo waits for its answer. Looked at again in a statement of its own, which sees
# the question of whoever held the redemption just before.
SETTLE = f"""
UPDATE vouchers_redemption redemption SET settled_at = %(at)s
WHERE id = ANY(%(ids)s) AND settled_at IS NULL AND reversed_at IS NULL AND reversible_until <= %(at)s AND {NOT_ASKED}
RETURNING id, store_id, entity_id, customer_id, business_date, amount_fen, voucher_id, serial
"""  # noqa: S608 - constants


class SettledUse(NamedTuple):
    """A use that this transaction settled; what ``SETTLE`` returns."""

    id: UUID
    store_id: UUID
    entity_id: UUID | None
    customer_id: UUID
    business_date: date
    amount_fen: int
    voucher_id: UUID
    serial: int


def claim(*, limit: int, at: datetime) -> list[SettledUse]:
    """
    Settle up to ``limit`` uses whose window is over, and say which; what another worker has is skipped.

    Runs inside the caller's transaction, which writes who is paid for them. An undo sets its own column where this
    one is null, so of the two one wins.
    """
    assert connection.in_atomic_block, "a use settles with the money it brings"
    due = lock_due(limit=limit, at=at)
    return _settle(due, at=at) if due else []


def claim_named(*, redemption_ids: Collection[UUID], at: datetime) -> list[SettledUse]:
    """
    Those of the uses that can be settled now and are not yet; the caller holds their rows.

    Runs inside the caller's transaction, which writes who is paid for them.
    """
    assert connection.in_atomic_block, "a use settles with the money it brings"
    return _settle(redemption_ids, at=at)


def lock_due(*, limit: int, at: datetime) -> list[UUID]:
    """Uses whose window is over, locked; those that somebody else holds are left to him."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_DUE, {"limit": limit, "at": at})
        return [row[0] for row in cursor.fetchall()]


def _settle(redemption_ids: Collection[UUID], *, at: datetime) -> list[SettledUse]:
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, {"ids": list(redemption_ids), "at": at})
        return [SettledUse(*row) for row in cursor.fetchall()]
