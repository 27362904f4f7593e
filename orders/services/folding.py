"""Folding: what transfers did to an account becomes part of its stored balance, later and in batches."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

# The accounts are locked in key order before any is changed: two folders wait, they do not deadlock.
FOLD = """
WITH batch AS MATERIALIZED (
    SELECT id FROM orders_ledgertransfer
    WHERE folded_at IS NULL ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), folded AS (
    UPDATE orders_ledgertransfer transfer SET folded_at = %(at)s
    FROM batch WHERE transfer.id = batch.id
    RETURNING transfer.debit_id, transfer.credit_id, transfer.amount_fen
), moved AS (
    SELECT account_id, sum(fen)::bigint AS fen
    FROM folded, LATERAL (VALUES (credit_id, amount_fen), (debit_id, -amount_fen)) AS side(account_id, fen)
    GROUP BY account_id
), locked AS MATERIALIZED (
    SELECT id, fen FROM orders_account JOIN moved ON account_id = id
    ORDER BY id FOR NO KEY UPDATE OF orders_account
), counted AS (
    UPDATE orders_account account SET folded_fen = account.folded_fen + locked.fen
    FROM locked WHERE account.id = locked.id
    RETURNING account.id
)
SELECT (SELECT count(*) FROM folded), (SELECT count(*) FROM moved), (SELECT count(*) FROM counted)
"""


@dataclass(frozen=True, slots=True)
class Folded:
    """How much one batch did."""

    transfers: int
    accounts: int


def fold_transfers(*, limit: int, at: datetime) -> Folded:
    """
    Add up to ``limit`` unfolded transfers to their accounts, each exactly once.

    Claims by state with SKIP LOCKED, so several workers may run; posting is never waited for and
    never waits.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(FOLD, {"limit": limit, "at": at})
        transfers, moved, counted = cursor.fetchone()
        assert moved == counted, "a transfer names an account that does not exist"
    return Folded(transfers=transfers, accounts=counted)
