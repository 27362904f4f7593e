"""Ending the free uses of vouchers that are locked: the one statement behind refund and expiry."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from config.kernel.pipeline import Cursor, as_jsonb, pipelined
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
    RETURNING id, voucher_id, customer_id, serial, amount_fen, refund_follows
"""  # noqa: S608 - constants
# With no free use left the status is what the holds and endings say, first that holds. OFFSET as in free_uses.
SETTLE_STATUS = """
    UPDATE vouchers_voucher v SET uses_left = v.uses_held, status = CASE
        WHEN EXISTS (SELECT FROM vouchers_useending
                     WHERE voucher_id = v.id AND refunding_at IS NOT NULL AND refunded_at IS NULL
                     OFFSET 0) THEN 'refunding'
        WHEN v.uses_held > 0 THEN 'held'
        WHEN EXISTS (SELECT FROM vouchers_useending
                     WHERE voucher_id = v.id AND refunded_at IS NOT NULL OFFSET 0) THEN 'refunded'
        ELSE 'expired' END
    WHERE v.id = ANY(%(ids)s::uuid[])
    RETURNING v.id, v.uses_left, v.status
"""


class Ended(NamedTuple):
    """A use that has just ended. A tuple: an object of the model for each of 5,000 costs more than ending them."""

    id: int
    voucher_id: UUID
    customer_id: UUID
    serial: int
    amount_fen: int
    refund_follows: bool


def refund_free_uses(voucher: Voucher, *, at: datetime) -> list[UseEnding]:
    """End every free use of a locked voucher as refunding."""
    return refund_free_uses_of([voucher], at=at)


def refund_free_uses_of(vouchers: Sequence[Voucher], *, at: datetime) -> list[UseEnding]:
    """``refund_free_uses`` for many locked vouchers."""
    by_id = {voucher.id: voucher for voucher in vouchers}
    ended, settled = _end(dict.fromkeys(by_id, False), expired_at=None, refunding_at=at)
    for voucher_id, uses_left, status in settled.fetchall():
        by_id[voucher_id].uses_left, by_id[voucher_id].status = uses_left, status
    return [_as_model(one, by_id[one.voucher_id], refunding_at=at) for one in ended]


def expire_free_uses(refund_follows: Mapping[UUID, bool], *, at: datetime) -> list[Ended]:
    """
    End every free use of these locked vouchers as expired; a refund follows where the terms say so and the
    uses were paid for.
    """
    ended, _ = _end(refund_follows, expired_at=at, refunding_at=None)
    return ended


def paid_for(ended: Iterable[Ended], *, expired_at: datetime) -> list[UseEnding]:
    """Those that cost something, as rows of the model with their vouchers."""
    paid = [one for one in ended if one.amount_fen]
    vouchers = Voucher.objects.in_bulk({one.voucher_id for one in paid})
    return [_as_model(one, vouchers[one.voucher_id], expired_at=expired_at) for one in paid]


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
    follows: Mapping[UUID, bool], *, expired_at: datetime | None, refunding_at: datetime | None
) -> tuple[list[Ended], Cursor]:
    """The uses that ended, and a cursor over what became of their vouchers."""
    assert connection.in_atomic_block, "uses end under their vouchers' locks"
    rows = as_jsonb([{"id": voucher_id, "follows": refund} for voucher_id, refund in follows.items()])
    with pipelined() as send:
        ended = send(END_FREE_USES, {"vouchers": rows, "expired_at": expired_at, "refunding_at": refunding_at})
        settled = send(SETTLE_STATUS, {"ids": f"{{{','.join(map(str, follows))}}}"})
    return [Ended(*row) for row in ended.fetchall()], settled


def _as_model(ended: Ended, voucher: Voucher, **moments: datetime) -> UseEnding:
    ending = UseEnding(**ended._asdict(), **moments)
    ending.voucher = voucher
    return ending
