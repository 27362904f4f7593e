"""Redemptions on their way into the table and out to subscribers, whoever made them."""

from typing import Any

from config.kernel.ids import public
from stores.models import Customer, Store
from vouchers.models import Redemption, Voucher

WRITE_REDEMPTIONS = """
    INSERT INTO vouchers_redemption (id, request_id, voucher_id, customer_id, store_id, entity_id, serial, amount_fen,
        business_date, redeemed_at, reversible_until)
    SELECT id, q, v, c, s, e, n, a, d, %(at)s, %(until)s
    FROM jsonb_to_recordset(%(redemptions)s::jsonb) AS k(id uuid, q uuid, v uuid, c uuid, s uuid, e uuid, n smallint,
        a bigint, d date)
"""


def row_of(redemption: Redemption) -> dict[str, Any]:
    """What ``WRITE_REDEMPTIONS`` takes of each."""
    return {
        "id": redemption.id,
        "q": redemption.request_id,
        "v": redemption.voucher_id,
        "c": redemption.customer_id,
        "s": redemption.store_id,
        "e": redemption.entity_id,
        "n": redemption.serial,
        "a": redemption.amount_fen,
        "d": redemption.business_date,
    }


def announced(redemption: Redemption, voucher: Voucher) -> dict[str, Any]:
    """What subscribers of ``vouchers.redeemed`` are told of each."""
    return {
        "redemption": redemption.public_id,
        "voucher": voucher.public_id,
        "customer": public(Customer.PREFIX, voucher.customer_id),
        "store": public(Store.PREFIX, redemption.store_id),
        "serial": redemption.serial,
        "amount_fen": redemption.amount_fen,
        "uses_left": voucher.uses_left,
    }
