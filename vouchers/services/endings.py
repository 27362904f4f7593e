"""Ending the free uses of vouchers that are locked: the one statement behind refund and expiry."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.kernel.pipeline import as_jsonb, pipelined
from vouchers.models import UseEnding, Voucher
from vouchers.services.free_uses import IS_FREE
from vouchers.verdict import status_of

END_FREE_USES = f"""
    INSERT INTO vouchers_useending
        (voucher_id, customer_id, serial, amount_fen, refund_follows, expired_at, refunding_at)
    SELECT v.id, v.customer_id, use.serial, v.use_amounts_fen[use.serial],
           k.follows AND sum(v.use_amounts_fen[use.serial]) OVER (PARTITION BY v.id) > 0,
           %(expired_at)s, %(refunding_at)s
    FROM jsonb_to_recordset(%(vouchers)s::jsonb) AS k(id uuid, follows boolean)
    CROSS JOIN LATERAL (SELECT * FROM vouchers_voucher WHERE id = k.id LIMIT 1) v
    CROSS JOIN LATERAL generate_series(1, v.uses_total) AS use(serial)
    WHERE {IS_FREE}
    ORDER BY v.id, use.serial
    RETURNING id, voucher_id, customer_id, serial, amount_fen, refund_follows, expired_at, refunding_at
"""  # noqa: S608 - constants
RETURNED = (
    "id",
    "voucher_id",
    "customer_id",
    "serial",
    "amount_fen",
    "refund_follows",
    "expired_at",
    "refunding_at",
)
# With no free use left the status is what the holds and endings say, first that holds.
SETTLE_STATUS = """
    UPDATE vouchers_voucher v SET uses_left = v.uses_held, status = CASE
        WHEN EXISTS (SELECT FROM vouchers_useending
                     WHERE voucher_id = v.id AND refunding_at IS NOT NULL AND refunded_at IS NULL) THEN 'refunding'
        WHEN v.uses_held > 0 THEN 'held'
        WHEN EXISTS (SELECT FROM vouchers_useending
                     WHERE voucher_id = v.id AND refunded_at IS NOT NULL) THEN 'refunded'
        ELSE 'expired' END
    WHERE v.id = ANY(%(ids)s)
    RETURNING v.id, v.uses_left, v.status
"""


def refund_free_uses(voucher: Voucher, *, at: datetime) -> list[UseEnding]:
    """End every free use of a locked voucher as refunding."""
    return _end({voucher.id: False}, [voucher], expired_at=None, refunding_at=at)


def refund_free_uses_of(vouchers: Sequence[Voucher], *, at: datetime) -> list[UseEnding]:
    """``refund_free_uses`` for many locked vouchers."""
    return _end({voucher.id: False for voucher in vouchers}, vouchers, expired_at=None, refunding_at=at)


def expire_free_uses(
    vouchers: Sequence[Voucher], *, refund_follows: Mapping[UUID, bool], at: datetime
) -> list[UseEnding]:
    """
    End every free use of locked vouchers as expired; a refund follows where the terms say so and the
    uses were paid for.
    """
    return _end(refund_follows, vouchers, expired_at=at, refunding_at=None)


def status_from_rows(voucher: Voucher) -> Voucher.Status:
    """The status of a locked voucher from its counters and the endings stored so far."""
    endings = list(voucher.endings.values_list("expired_at", "refunding_at", "refunded_at"))
    return status_of(
        uses_left=voucher.uses_left,
        uses_held=voucher.uses_held,
        refunding=any(refunding and not refunded for _, refunding, refunded in endings),
        refunded=any(refunded for _, _, refunded in endings),
        expired=any(expired for expired, _, _ in endings),
    )


def _end(
    follows: Mapping[UUID, bool],
    vouchers: Collection[Voucher],
    *,
    expired_at: datetime | None,
    refunding_at: datetime | None,
) -> list[UseEnding]:
    assert connection.in_atomic_block, "uses end under their vouchers' locks"
    by_id = {voucher.id: voucher for voucher in vouchers}
    rows = as_jsonb([{"id": voucher_id, "follows": follows[voucher_id]} for voucher_id in by_id])
    with pipelined() as send:
        ended = send(END_FREE_USES, {"vouchers": rows, "expired_at": expired_at, "refunding_at": refunding_at})
        settled = send(SETTLE_STATUS, {"ids": list(by_id)})
    for voucher_id, uses_left, status in settled.fetchall():
        by_id[voucher_id].uses_left, by_id[voucher_id].status = uses_left, status
    endings = [UseEnding.from_db("default", RETURNED, row) for row in ended.fetchall()]
    for ending in endings:
        ending.voucher = by_id[ending.voucher_id]
    return endings
