"""Issuing grants: a batch of up to thousands of vouchers is one transaction and one statement."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from config.kernel.caller import MACHINE
from config.kernel.ids import new_id, public
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Brand
from vouchers import codes, queries
from vouchers.models import DealTerms, Grant, GrantBatch, Voucher
from vouchers.queries.units import units
from vouchers.services import code_numbers, issuing

# Of the brand that has waited longest, the largest of its next few: any of them then has enough numbers.
WAITING = """
    SELECT brand_id, max(voucher_count) FROM (
        SELECT brand_id, voucher_count, due_at FROM vouchers_grantbatch
        WHERE state = 'pending' AND due_at <= %(at)s ORDER BY due_at LIMIT 8
    ) AS next GROUP BY brand_id ORDER BY min(due_at) LIMIT 1
"""
# The customers as text: five thousand ids are handed on to the next statement without being read.
CLAIM = """
    SELECT b.id, b.grant_id, b.brand_id, b.voucher_count, b.customer_ids::text, g.terms_id, g.per_customer,
           g.granted_at
    FROM vouchers_grantbatch b JOIN vouchers_grant g ON g.id = b.grant_id
    WHERE b.state = 'pending' AND b.due_at <= %(at)s AND b.brand_id = %(brand)s AND b.voucher_count <= %(most)s
    ORDER BY b.due_at, b.number LIMIT 1
    FOR NO KEY UPDATE OF b SKIP LOCKED
"""
# What differs from voucher to voucher travels as arrays, what the vouchers of a unit share as a few rows.
ISSUE = """
    INSERT INTO vouchers_voucher (id, brand_id, customer_id, terms_id, issuer, external_id, source_kind, source_id,
        ordinal, code, uses_total, uses_left, uses_held, use_amounts_fen, paid_fen, valid_from, valid_until, status,
        issued_at)
    SELECT v.id, %(brand)s::uuid, v.customer_id, kind.terms_id, 'own', '', 'grant', %(batch)s::uuid,
        v.ordinal, v.code, kind.uses, kind.uses, 0, kind.amounts_fen, 0, kind.valid_from, kind.valid_until, 'issued',
        %(at)s::timestamptz
    FROM unnest(%(ids)s::uuid[], %(customers)s::uuid[], %(codes)s::text[])
        WITH ORDINALITY AS v(id, customer_id, code, ordinal)
    JOIN jsonb_to_recordset(%(kinds)s::jsonb) AS kind(place bigint, terms_id uuid, uses smallint,
        amounts_fen bigint[], valid_from timestamptz, valid_until timestamptz)
        ON kind.place = (v.ordinal - 1) %% %(each)s::bigint
"""
ISSUED = """
    UPDATE vouchers_grantbatch SET state = 'issued', issued_at = %(at)s WHERE id = %(batch)s AND state = 'pending'
"""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A batch this transaction holds the lock of; ``customer_ids`` in the form PostgreSQL wrote them."""

    id: UUID
    grant_id: UUID
    brand_id: UUID
    voucher_count: int
    customer_ids: str
    terms_id: UUID
    per_customer: int
    granted_at: datetime


def issue_granted(*, at: datetime) -> int:
    """
    Issue the vouchers of one waiting batch and return how many that were; 0 where none waits.

    Vouchers, state, trail and announcement commit together; a batch is issued once whatever is repeated,
    because it is claimed by its state under its lock. Any number of workers may run.
    """
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"at": at})
        waiting: tuple[UUID, int] | None = cursor.fetchone()
    if waiting is None:
        return 0
    brand_id, most = waiting
    # Before the transaction, which would otherwise hold the counter while it writes the vouchers.
    numbers = code_numbers.reserve(brand_id=brand_id, count=most)
    with transaction.atomic(durable=True):
        claimed = _claim(brand_id=brand_id, most=most, at=at)
        if claimed is None:
            return 0
        _issue(claimed, numbers[: claimed.voucher_count], at=at)
    return claimed.voucher_count


def _claim(*, brand_id: UUID, most: int, at: datetime) -> _Claimed | None:
    with pipelined() as send:
        claiming = send(CLAIM, {"at": at, "brand": brand_id, "most": most})
    row = claiming.fetchone()
    return _Claimed(*row) if row else None


def _issue(batch: _Claimed, numbers: range, *, at: datetime) -> None:
    unit = units([batch.terms_id])[batch.terms_id] * batch.per_customer
    customers = batch.customer_ids
    if len(unit) > 1:
        each = [one for one in customers[1:-1].split(",") for _ in unit]
        customers = f"{{{','.join(each)}}}"
    key = codes.key_of(secret=settings.SECRETS.voucher_code_key, brand_id=batch.brand_id, issuer=Voucher.OWN)
    with pipelined() as send:
        issued = send(
            ISSUE,
            {
                "batch": batch.id,
                "brand": batch.brand_id,
                "at": at,
                "ids": f"{{{','.join([str(new_id()) for _ in numbers])}}}",
                "customers": customers,
                "codes": f"{{{','.join(codes.codes_for(numbers, key))}}}",
                "kinds": as_jsonb(_kinds(batch, unit)),
                "each": len(unit),
            },
        )
        turned = send(ISSUED, {"batch": batch.id, "at": at})
        send_trail(send, [_act(batch)], [_message(batch)], at=at)
    assert issued.rowcount == batch.voucher_count, "as many as were planned"
    assert turned.rowcount == 1, "claimed under the lock"


def _kinds(batch: _Claimed, unit: tuple[UUID, ...]) -> list[dict[str, Any]]:
    zone = Brand.objects.values_list("zone", flat=True).get(pk=batch.brand_id)
    terms_of = queries.terms(set(unit))
    rows = []
    for place, terms_id in enumerate(unit):
        terms = terms_of[terms_id]
        valid_from, valid_until = issuing.validity(terms, bought_at=batch.granted_at, zone=zone)
        uses = len(terms.use_list_fen)
        rows.append(
            {
                "place": place,
                "terms_id": terms_id,
                "uses": uses,
                "amounts_fen": [0] * uses,
                "valid_from": valid_from,
                "valid_until": valid_until,
            }
        )
    return rows


def _act(batch: _Claimed) -> Act:
    return Act(
        act="vouchers.granted",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="grant_batch",
        subject_id=batch.id,
        brand_id=batch.brand_id,
        subject_count=batch.voucher_count,
        details={"grant": public(Grant.PREFIX, batch.grant_id)},
    )


def _message(batch: _Claimed) -> Message:
    """Which grant and how many: five thousand vouchers by name would cost more than issuing them."""
    item = {
        "grant": public(Grant.PREFIX, batch.grant_id),
        "batch": public(GrantBatch.PREFIX, batch.id),
        "terms": public(DealTerms.PREFIX, batch.terms_id),
        "vouchers": batch.voucher_count,
    }
    return Message(batch.brand_id, "vouchers.granted", [item])
