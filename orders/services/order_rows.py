"""
An order's rows in one statement: the order, its lines, its uses, and the number where it has one at once.

An order and its parts are one thing to whoever distributes these tables; the parts follow their order.
"""

from typing import Any

import orjson
from django.db import connection

from config.kernel.pipeline import Cursor, Send, as_jsonb
from orders.models import StoreOrder
from orders.services.confirming import NEXT_NUMBER
from orders.services.priced_orders import PricedOrder

PARTS = """, lines AS (
        INSERT INTO orders_storeorderline
            (order_id, position, product_id, name, options, unit_fen, quantity, off_fen, due_fen, instead_of_id,
             instead_of_name)
        SELECT %(order_id)s, position, product_id, name, options, unit_fen, quantity, off_fen, due_fen, instead_of_id,
             instead_of_name
        FROM jsonb_to_recordset(%(lines)s::jsonb) AS line(position smallint, product_id uuid, name text,
            options jsonb, unit_fen bigint, quantity smallint, off_fen bigint, due_fen bigint, instead_of_id uuid,
            instead_of_name text)
    ), applied AS (
        INSERT INTO orders_appliedvoucher (order_id, voucher_id, customer_id, serial, off_fen, off_lines)
        SELECT %(order_id)s, voucher_id, %(customer_id)s, serial, off_fen, off_lines
        FROM jsonb_to_recordset(%(uses)s::jsonb)
            AS used(voucher_id uuid, serial smallint, off_fen bigint, off_lines jsonb)
    )
    SELECT pickup_number FROM placed
"""
WRITE_PLACED = f"""
    WITH placed AS (
        INSERT INTO orders_storeorder
        SELECT row.* FROM jsonb_populate_record(null::orders_storeorder, %(row)s::jsonb) AS row
        RETURNING pickup_number
    ){PARTS}
"""  # noqa: S608 - constants
# The counter's row is locked to the end of the transaction.
WRITE_CONFIRMED = f"""
    WITH number AS ({NEXT_NUMBER}), placed AS (
        INSERT INTO orders_storeorder
        SELECT row.* FROM number, jsonb_populate_record(
            null::orders_storeorder, %(row)s::jsonb || jsonb_build_object('pickup_number', number.last)) AS row
        RETURNING pickup_number
    ){PARTS}
"""  # noqa: S608 - constants


def send_placed(send: Send, order: StoreOrder, priced: PricedOrder) -> Cursor:
    """An order that waits for its money."""
    return send(WRITE_PLACED, _rows(order, priced))


def send_confirmed(send: Send, order: StoreOrder, priced: PricedOrder) -> Cursor:
    """An order that nothing is due of; answers its pick-up number."""
    day = {"store_id": order.store_id, "business_date": order.business_date}
    return send(WRITE_CONFIRMED, {**_rows(order, priced), **day})


def written(order: StoreOrder) -> None:
    """The row is there: what is saved from now on is changed."""
    assert connection.in_atomic_block, "it has just been written"
    order._state.adding, order._state.db = False, "default"


def _rows(order: StoreOrder, priced: PricedOrder) -> dict[str, Any]:
    lines = [
        {
            "position": position,
            "product_id": line.product_id,
            "name": line.name,
            "options": list(line.options),
            "unit_fen": line.unit_fen,
            "quantity": line.quantity,
            "off_fen": line.off_fen,
            "due_fen": line.due_fen,
            "instead_of_id": line.instead_of_id,
            "instead_of_name": line.instead_of_name,
        }
        for position, line in enumerate(priced.lines)
    ]
    uses = [
        {
            "voucher_id": use.voucher_id,
            "serial": use.serial,
            "off_fen": sum(use.off_lines.values()),
            "off_lines": {str(position): fen for position, fen in use.off_lines.items()},
        }
        for use in priced.uses
    ]
    return {
        "order_id": order.id,
        "customer_id": order.customer_id,
        "row": _as_row(order),
        "lines": as_jsonb(lines),
        "uses": as_jsonb(uses),
    }


def _as_row(order: StoreOrder) -> str:
    """The order as ``jsonb_populate_record`` reads it."""
    row: dict[str, Any] = {str(field.column): getattr(order, field.attname) for field in order._meta.concrete_fields}
    return orjson.dumps({**row, "content_hash": f"\\x{bytes(order.content_hash).hex()}"}).decode()
