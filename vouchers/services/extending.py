"""Longer validity written into sold vouchers: claimed by state, a batch at a time, by any number of workers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import MACHINE
from config.kernel.ids import public
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Customer
from vouchers import queries
from vouchers.models import TermsRevision, Voucher
from vouchers.verdict import Terms

# One index range for each of the terms that were ever extended; what somebody has locked is left for the next round.
CLAIM = """
    SELECT v.id, v.terms_id FROM jsonb_to_recordset(%(terms)s::jsonb) AS t(id uuid, n smallint)
    CROSS JOIN LATERAL (
        SELECT id, terms_id FROM vouchers_voucher
        WHERE terms_id = t.id AND status IN ('issued', 'held') AND extensions < t.n
        LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    ) v LIMIT %(limit)s
"""
# ``steps`` says for each count of extensions that a voucher may have what is still to come; as Extension.extended does.
EXTEND = """
    UPDATE vouchers_voucher v SET extensions = s.n, valid_until = CASE
        WHEN s.until IS NOT NULL THEN greatest(v.valid_until, s.until)
        ELSE ((v.valid_until AT TIME ZONE s.zone) + make_interval(days => s.days)) AT TIME ZONE s.zone END
    FROM jsonb_to_recordset(%(steps)s::jsonb)
        AS s(terms uuid, k smallint, n smallint, until timestamptz, days int, zone text)
    WHERE v.id = ANY(%(ids)s) AND v.terms_id = s.terms AND v.extensions = s.k
    RETURNING v.id, v.brand_id, v.customer_id, v.valid_until
"""


def extend_sold(*, limit: int, at: datetime) -> int:
    """
    Move up to ``limit`` open vouchers to what their terms' amendments give them; says how many.

    Nobody waits for it: ``verdict.valid_until_of`` answers as if all had been moved. One audit row a
    batch, one announcement a brand. What is used or gone is left; an undo asks again.
    """
    extended = dict(TermsRevision.objects.filter(extensions__gt=0).values_list("terms_id", "extensions"))
    if not extended:
        return 0
    with transaction.atomic(durable=True):
        wanted = as_jsonb([{"id": terms_id, "n": count} for terms_id, count in extended.items()])
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, {"terms": wanted, "limit": limit})
            claimed = cursor.fetchall()
        if not claimed:
            return 0
        terms = queries.terms({terms_id for _, terms_id in claimed})
        return extend_locked([voucher_id for voucher_id, _ in claimed], terms, at=at)


def extend_locked(ids: Collection[UUID], terms: Mapping[UUID, Terms], *, at: datetime) -> int:
    """
    Give vouchers the extensions of ``terms`` that they lack, and tell it; says how many had any to come.

    Runs inside the caller's transaction, which has locked them.
    """
    assert connection.in_atomic_block, "vouchers are moved under their locks"
    with connection.cursor() as cursor:
        cursor.execute(EXTEND, {"ids": list(ids), "steps": as_jsonb(_steps(terms.values()))})
        moved = cursor.fetchall()
    if moved:
        _announce(moved, at=at)
    return len(moved)


def _steps(terms: Collection[Terms]) -> list[dict[str, Any]]:
    return [
        {
            "terms": one.id,
            "k": known,
            "n": len(one.extensions),
            "until": max((more.until for more in one.extensions[known:] if more.until is not None), default=None),
            "days": sum(more.more_days for more in one.extensions[known:]),
            "zone": one.zone,
        }
        for one in terms
        for known in range(len(one.extensions))
    ]


def _announce(moved: Collection[tuple[UUID, UUID, UUID, datetime]], *, at: datetime) -> None:
    told: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for voucher_id, brand_id, customer_id, valid_until in moved:
        told[brand_id].append(
            {
                "voucher": public(Voucher.PREFIX, voucher_id),
                "customer": public(Customer.PREFIX, customer_id),
                "valid_until": valid_until,
            }
        )
    act = Act(
        act="vouchers.extended",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="voucher",
        subject_id=None,
        brand_id=None,
        subject_count=len(moved),
    )
    messages = [Message(brand_id, "vouchers.extended", items) for brand_id, items in told.items()]
    with pipelined() as send:
        send_trail(send, [act], messages, at=at)
