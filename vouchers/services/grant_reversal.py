"""Reversing grants: a batch's unused vouchers are refunded at 0 fen, which is what they cost."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import MACHINE
from config.kernel.ids import public
from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, Message, send_trail
from vouchers.models import Grant, GrantBatch

LOOK_AGAIN = timedelta(minutes=5)
"""When a voucher is held: the lease of an unpaid order is over within a quarter of an hour."""

CLAIM = """
    SELECT id, grant_id, brand_id FROM vouchers_grantbatch
    WHERE state = 'reversing' AND due_at <= %(at)s ORDER BY due_at LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
"""
# Waits for whoever is redeeming one of them, and then sees what she left.
LOCK_UNUSED = """
    SELECT id FROM vouchers_voucher
    WHERE source_id = %(batch)s AND source_kind = 'grant' AND status = 'issued'
        AND uses_left = uses_total AND uses_held = 0
    ORDER BY brand_id, issuer, code
    FOR NO KEY UPDATE
"""
END_USES = """
    INSERT INTO vouchers_useending
        (voucher_id, customer_id, serial, amount_fen, refund_follows, refunding_at, refunded_at)
    SELECT v.id, v.customer_id, use.serial, v.use_amounts_fen[use.serial], false, %(at)s, %(at)s
    FROM vouchers_voucher v CROSS JOIN LATERAL generate_series(1, v.uses_total) AS use(serial)
    WHERE v.id = ANY(%(ids)s::uuid[])
"""
TAKE_BACK = """
    UPDATE vouchers_voucher SET status = 'refunded', uses_left = 0 WHERE id = ANY(%(ids)s::uuid[])
"""
# Held ones are looked at again; the batch is done when there are none.
TURN = """
    UPDATE vouchers_grantbatch SET taken_back = taken_back + %(count)s,
        state = CASE WHEN held.any THEN 'reversing' ELSE 'reversed' END,
        reversed_at = CASE WHEN NOT held.any THEN %(at)s::timestamptz END,
        due_at = CASE WHEN held.any THEN %(again)s::timestamptz ELSE due_at END
    FROM (SELECT EXISTS (
        SELECT FROM vouchers_voucher WHERE source_id = %(batch)s AND source_kind = 'grant' AND uses_held > 0
    ) AS any) AS held
    WHERE id = %(batch)s
"""
# Whatever their state: one that is being reversed must not be done while a use of it comes back.
LOCK_BATCHES = """
    SELECT id FROM vouchers_grantbatch WHERE id IN (
        SELECT source_id FROM vouchers_voucher WHERE id = ANY(%(vouchers)s) AND source_kind = 'grant'
    ) ORDER BY id FOR NO KEY UPDATE
"""
TURN_AGAIN = """
    UPDATE vouchers_grantbatch SET state = 'reversing', reversed_at = NULL, due_at = %(at)s
    WHERE id = ANY(%(batches)s) AND state = 'reversed'
"""


def look_again(*, voucher_ids: Collection[UUID], at: datetime) -> None:
    """
    Uses of these vouchers are about to be free again: where their grant was reversed, it is theirs to take back.

    Runs inside the caller's transaction, before the vouchers are locked: batches come first here as they do
    in ``reverse_granted``.
    """
    assert connection.in_atomic_block, "a batch is looked at again with the undo that asks for it"
    with connection.cursor() as cursor:
        cursor.execute(LOCK_BATCHES, {"vouchers": list(voucher_ids)})
        if batches := [row[0] for row in cursor.fetchall()]:
            cursor.execute(TURN_AGAIN, {"batches": batches, "at": at})
            if cursor.rowcount:
                nudge_after_commit("vouchers.reverse_granted", queue="issue")


def reverse_granted(*, at: datetime) -> bool:
    """
    Take back the unused vouchers of one batch of a reversed grant; False where none is due.

    Claimed by state under its lock, so any number of workers may run. Each voucher is decided under its
    own lock: of a redemption and the reversal one wins.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, {"at": at})
            claimed: tuple[UUID, UUID, UUID] | None = cursor.fetchone()
        if claimed is None:
            return False
        batch_id, grant_id, brand_id = claimed
        unused = _lock_unused(batch_id)
        ids = f"{{{','.join(map(str, unused))}}}"
        with pipelined() as send:
            send(END_USES, {"ids": ids, "at": at})
            send(TAKE_BACK, {"ids": ids})
            send(TURN, {"batch": batch_id, "count": len(unused), "at": at, "again": at + LOOK_AGAIN})
            if unused:
                act, message = _told(batch_id, grant_id, brand_id, len(unused))
                send_trail(send, [act], [message], at=at)
    return True


def _lock_unused(batch_id: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_UNUSED, {"batch": batch_id})
        return [row[0] for row in cursor.fetchall()]


def _told(batch_id: UUID, grant_id: UUID, brand_id: UUID, count: int) -> tuple[Act, Message]:
    grant = public(Grant.PREFIX, grant_id)
    act = Act(
        act="vouchers.grant_reversed",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="grant_batch",
        subject_id=batch_id,
        brand_id=brand_id,
        subject_count=count,
        details={"grant": grant},
    )
    item = {"grant": grant, "batch": public(GrantBatch.PREFIX, batch_id), "vouchers": count}
    return act, Message(brand_id, "vouchers.grant_reversed", [item])
