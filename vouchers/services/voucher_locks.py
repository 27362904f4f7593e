"""
The one lock of a voucher: its row. Whoever redeems, undoes, refunds or expires takes it first and looks after.

Rows are locked in key order (brand, issuer, code), so two requests that share vouchers wait for each
other and never in a circle.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel.pipeline import Cursor, Send
from vouchers.models import Voucher
from vouchers.queries.facts import codes_as_jsonb

COLUMNS = (
    "id",
    "brand_id",
    "customer_id",
    "terms_id",
    "source_kind",
    "code",
    "uses_total",
    "uses_left",
    "uses_held",
    "use_amounts_fen",
    "valid_from",
    "valid_until",
    "status",
    "extensions",
)
# NO KEY: nothing that refers to a voucher has to wait for it. One index look-up a code, in key order, whatever the
# planner believes: as a join it was planned, before the first ANALYZE, over every voucher and every store, and ran
# into the statement's time limit.
LOCK_BY_CODE = f"""
    SELECT v.*
    FROM (SELECT DISTINCT s.brand_id, k.c AS code
          FROM jsonb_to_recordset(%(codes)s::jsonb) AS k(s uuid, c text)
          CROSS JOIN LATERAL (SELECT brand_id FROM stores_store WHERE id = k.s LIMIT 1) s
          ORDER BY s.brand_id, code) asked
    CROSS JOIN LATERAL (
        SELECT {", ".join(COLUMNS)} FROM vouchers_voucher
        WHERE brand_id = asked.brand_id AND issuer = 'own' AND code = asked.code
        FOR NO KEY UPDATE
    ) v
"""  # noqa: S608 - constants

LOCK_OF_CUSTOMER = f"""
    SELECT {", ".join(COLUMNS)} FROM vouchers_voucher v
    WHERE v.id = ANY(%(ids)s) AND v.customer_id = %(customer_id)s AND v.issuer = 'own'
    ORDER BY v.brand_id, v.issuer, v.code
    FOR NO KEY UPDATE OF v
"""  # noqa: S608 - constants


def send_lock(send: Send, codes: Iterable[tuple[UUID, str]]) -> Cursor:
    """Lock our own vouchers by (store of their brand, code); ``vouchers_of`` reads the answer."""
    return send(LOCK_BY_CODE, {"codes": codes_as_jsonb(codes)})


def send_lock_of_customer(send: Send, ids: Collection[UUID], *, customer_id: UUID) -> Cursor:
    """Lock a customer's own vouchers by their ids; anybody else's are left alone."""
    return send(LOCK_OF_CUSTOMER, {"ids": list(ids), "customer_id": customer_id})


def vouchers_of(rows: Iterable[tuple[Any, ...]]) -> list[Voucher]:
    return [Voucher.from_db("default", COLUMNS, row) for row in rows]


def lock(ids: Collection[UUID]) -> list[Voucher]:
    """
    Lock vouchers by id, in key order; ids that name none are left out.

    Runs inside the caller's transaction.
    """
    assert connection.in_atomic_block, "a lock ends with its transaction"
    return list(
        Voucher.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("brand_id", "issuer", "code")
    )
