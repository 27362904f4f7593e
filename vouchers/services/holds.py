"""
Holds: uses kept for one source until it confirms or releases them.

Building blocks for whoever decides later: an order that is not paid yet, a redemption that another
platform has not decided. A lease is named by its source and its fence. All of it ends together, under the
vouchers' locks, so of confirm, release and the sweeper one wins and the others hear ``HoldOver``.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import MACHINE
from config.kernel.ids import new_id
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Act, Message, send_trail
from vouchers import errors, queries
from vouchers.models import Hold, Redemption, Voucher
from vouchers.queries.holders import held_by, holder_of
from vouchers.services import counter_stock, voucher_locks
from vouchers.services.free_uses import IS_FREE
from vouchers.services.redemption_rows import WRITE_REDEMPTIONS, announced, row_of
from vouchers.signals import redeemed
from vouchers.verdict import Terms, refusal_of_its_state

RETURNED = (
    "id",
    "voucher_id",
    "customer_id",
    "serial",
    "source_kind",
    "source_id",
    "fence",
    "expires_at",
    "created_at",
    "ended_at",
    "outcome",
)
# The first free uses of each voucher, as redeeming takes them. One number for all that is held at once.
HOLD_FREE_USES = f"""
    WITH fence AS MATERIALIZED (SELECT nextval('vouchers_hold_fence') AS number)
    INSERT INTO vouchers_hold (voucher_id, customer_id, serial, source_kind, source_id, fence, expires_at, created_at)
    SELECT free.id, free.customer_id, free.serial, %(source_kind)s, %(source_id)s, fence.number, %(expires_at)s, %(at)s
    FROM fence, jsonb_to_recordset(%(uses)s::jsonb) AS k(id uuid, n smallint, s smallint[])
    CROSS JOIN LATERAL (
        SELECT v.id, v.customer_id, use.serial
        FROM (SELECT * FROM vouchers_voucher WHERE id = k.id LIMIT 1) v
        CROSS JOIN LATERAL generate_series(1, v.uses_total) AS use(serial)
        WHERE {IS_FREE} AND (k.s IS NULL OR use.serial = ANY(k.s)) ORDER BY use.serial LIMIT k.n
    ) free
    RETURNING {", ".join(RETURNED)}
"""  # noqa: S608 - constants
COUNT_HELD = """
    UPDATE vouchers_voucher v SET uses_held = v.uses_held + k.n, status = 'held'
    FROM jsonb_to_recordset(%(uses)s::jsonb) AS k(id uuid, n smallint) WHERE v.id = k.id
"""
LIVE_OF_LEASE = """
    SELECT voucher_id FROM vouchers_hold
    WHERE source_id = %(source_id)s AND source_kind = %(source_kind)s AND fence = %(fence)s AND ended_at IS NULL
"""
END = f"""
    UPDATE vouchers_hold SET ended_at = greatest(%(at)s, created_at), outcome = %(outcome)s
    WHERE source_id = %(source_id)s AND source_kind = %(source_kind)s AND fence = %(fence)s AND ended_at IS NULL
    RETURNING {", ".join(RETURNED)}
"""  # noqa: S608 - constants
# ``n`` uses are held no more; ``used`` of them were consumed. The status follows from what is left.
COUNT_ENDED = """
    UPDATE vouchers_voucher v SET
        uses_held = v.uses_held - k.n, uses_left = v.uses_left - k.used,
        status = CASE
            WHEN EXISTS (SELECT FROM vouchers_useending
                         WHERE voucher_id = v.id AND refunding_at IS NOT NULL AND refunded_at IS NULL) THEN 'refunding'
            WHEN v.uses_held > k.n THEN 'held'
            WHEN v.uses_left > k.used THEN 'issued'
            WHEN EXISTS (SELECT FROM vouchers_useending
                         WHERE voucher_id = v.id AND refunded_at IS NOT NULL) THEN 'refunded'
            WHEN EXISTS (SELECT FROM vouchers_useending WHERE voucher_id = v.id) THEN 'expired'
            ELSE 'used' END
    FROM jsonb_to_recordset(%(vouchers)s::jsonb) AS k(id uuid, n smallint, used smallint)
    WHERE v.id = k.id
    RETURNING v.id, v.uses_left, v.uses_held, v.status
"""
# A lease is left alone where any voucher of it is locked elsewhere: it ends whole or not yet.
LOCK_OVERDUE = """
    WITH due AS MATERIALIZED (
        SELECT DISTINCT source_kind, source_id, fence FROM (
            SELECT source_kind, source_id, fence FROM vouchers_hold
            WHERE ended_at IS NULL AND expires_at <= %(at)s ORDER BY expires_at, fence LIMIT %(limit)s
        ) oldest
    ), held AS MATERIALIZED (
        SELECT h.voucher_id, h.source_kind, h.source_id, h.fence
        FROM due JOIN vouchers_hold h USING (source_kind, source_id, fence) WHERE h.ended_at IS NULL
    ), locked AS MATERIALIZED (
        SELECT id FROM vouchers_voucher WHERE id IN (SELECT voucher_id FROM held)
        ORDER BY brand_id, issuer, code FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT source_kind, source_id, fence FROM held LEFT JOIN locked ON locked.id = held.voucher_id
    GROUP BY source_kind, source_id, fence HAVING count(*) = count(locked.id)
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """What was held at once for one source; ``fence`` is the number its holds carry."""

    source_kind: str
    source_id: UUID
    fence: int


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and where held uses became drinks: the store's business day and entity at that moment."""

    request_id: UUID
    store_id: UUID
    entity_id: UUID | None
    business_date: date
    redeemed_at: datetime
    reversible_until: datetime | None


def hold(
    *,
    uses: Mapping[UUID, int],
    serials: Mapping[UUID, Sequence[int]] | None = None,
    source_kind: str,
    source_id: UUID,
    expires_at: datetime | None,
    terms: Mapping[UUID, Terms] | None = None,
    at: datetime,
) -> list[Hold]:
    """
    Hold so many uses of each voucher, all or nothing, under one new fence; with ``serials`` just these.

    Runs inside the caller's transaction and locks the vouchers in key order. Whether the vouchers may be
    used at a store, together and with a bill is the caller's to ask; their own state is judged here, and
    it is judged now: what is held does not expire. A source that holds again releases its old lease first.
    ``terms`` where the caller's transaction has read them already.

    Raises:
        VoucherNotFound: an id names none.
        VoucherRefunded, VoucherAlreadyRedeemed, VoucherNotYetValid, VoucherExpired: nothing left to hold; with
            ``serials`` also where just these have gone. Roll back then.
        VoucherHeld: somebody holds it; says who, since when and until when.
    """
    assert connection.in_atomic_block, "uses are held for what is written with them"
    assert uses, "holding nothing is a mistake"
    assert all(count > 0 for count in uses.values()), "a voucher is held for at least one use"
    vouchers = {voucher.id: voucher for voucher in voucher_locks.lock(list(uses))}
    if terms is None:
        terms = queries.terms({voucher.terms_id for voucher in vouchers.values()})
    for voucher_id, count in uses.items():
        _check(vouchers.get(voucher_id), count, terms, at=at)
    named = serials or {}
    counts = as_jsonb(
        [{"id": voucher_id, "n": count, "s": named.get(voucher_id)} for voucher_id, count in uses.items()]
    )
    asked = {"uses": counts, "source_kind": source_kind, "source_id": source_id, "expires_at": expires_at, "at": at}
    with pipelined() as send:
        taken = send(HOLD_FREE_USES, asked)
        send(COUNT_HELD, {"uses": counts})
    held = [Hold.from_db("default", RETURNED, row) for row in taken.fetchall()]
    if len(held) < sum(uses.values()):
        assert serials is not None, "uses_left says how many uses are free"
        held_of = Counter(one.voucher_id for one in held)
        gone = next(voucher_id for voucher_id, count in uses.items() if held_of[voucher_id] < count)
        raise errors.VoucherAlreadyRedeemed(voucher=vouchers[gone].public_id, uses_left=vouchers[gone].uses_left)
    return sorted(held, key=lambda one: (one.voucher_id, one.serial))


def release(lease: Lease, *, at: datetime) -> list[Hold]:
    """
    Give every use of a lease back: whoever comes next may have it, and what is past its time expires.

    Runs inside the caller's transaction and locks the vouchers in key order.

    Raises:
        HoldOver: the lease has ended, or never was.
    """
    if not (held := _end(lease, Hold.Outcome.RELEASED, at=at)):
        raise errors.HoldOver
    return held


def confirm(lease: Lease, occasion: Occasion, *, at: datetime) -> list[Redemption]:
    """
    Turn every use of a lease into a redemption of ``occasion``'s request, however long ago it was held.

    Runs inside the caller's transaction, which has written that request and leaves the trail of who did
    it; last in it, because the ledger is told. Locks the vouchers in key order. A lease whose time is over
    is good until it is released: what nobody else could take is not taken from its holder.

    Raises:
        HoldOver: the lease has ended, or never was. Nothing is redeemed; hold again under a new fence.
    """
    if not (held := _end(lease, Hold.Outcome.CONFIRMED, at=at)):
        raise errors.HoldOver
    redemptions = [redemption_of(one.voucher, one.serial, occasion) for one in held]
    told: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for redemption in redemptions:
        told[redemption.voucher.brand_id].append(announced(redemption, redemption.voucher))
    messages = [Message(brand_id, "vouchers.redeemed", items) for brand_id, items in told.items()]
    rows = as_jsonb([row_of(redemption) for redemption in redemptions])
    terms = queries.terms({one.voucher.terms_id for one in held})
    with pipelined() as send:
        moments = {"at": occasion.redeemed_at, "until": occasion.reversible_until}
        send(WRITE_REDEMPTIONS, {"redemptions": rows, **moments})
        if lease.source_kind == Hold.Source.REDEMPTION_REQUEST:  # an order reserves its cups itself
            counter_stock.send_taken(send, redemptions, terms, at=occasion.redeemed_at)
        send_trail(send, [], messages, at=at)
    redeemed.send(sender=Redemption, redemptions=redemptions, at=at)
    return redemptions


def release_overdue(*, limit: int, at: datetime) -> int:
    """
    Release leases whose time is over, at most ``limit`` of them; says how many.

    A lease of which somebody has a voucher locked is left for the next run: she may be confirming it. One
    audit row a batch.
    """
    with transaction.atomic(durable=True):
        # One that ended between our look and our lock releases nothing any more.
        ended = [lease for lease in lock_overdue(limit=limit, at=at) if _end(lease, Hold.Outcome.RELEASED, at=at)]
        if ended:
            act = Act("voucher.release", MACHINE.kind, None, "hold", None, None, subject_count=len(ended))
            with pipelined() as send:
                send_trail(send, [act], [], at=at)
        return len(ended)


def lock_overdue(*, limit: int, at: datetime) -> list[Lease]:
    """The leases that are over, oldest first, with all their vouchers locked."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_OVERDUE, {"at": at, "limit": limit})
        return [Lease(*row) for row in cursor.fetchall()]


def _check(voucher: Voucher | None, count: int, terms: Mapping[UUID, Terms], *, at: datetime) -> None:
    if voucher is None:
        raise errors.VoucherNotFound
    if (refusal := refusal_of_its_state(voucher, terms[voucher.terms_id], at=at)) is errors.VoucherHeld:
        raise errors.VoucherHeld(voucher=voucher.public_id, **held_by(holder_of(voucher.id)))
    if refusal is not None:
        raise refusal(voucher=voucher.public_id)
    if voucher.uses_left < count:
        raise errors.VoucherAlreadyRedeemed(voucher=voucher.public_id, uses_left=voucher.uses_left)


def _end(lease: Lease, outcome: Hold.Outcome, *, at: datetime) -> list[Hold]:
    """End what is live of a lease under its vouchers' locks; each hold carries its voucher as it is then."""
    assert connection.in_atomic_block, "holds end with what is decided about them"
    named: dict[str, Any] = {"source_kind": lease.source_kind, "source_id": lease.source_id, "fence": lease.fence}
    with connection.cursor() as cursor:
        cursor.execute(LIVE_OF_LEASE, named)
        ids = {row[0] for row in cursor.fetchall()}
        vouchers = {voucher.id: voucher for voucher in voucher_locks.lock(ids)}
        cursor.execute(END, {**named, "outcome": outcome, "at": at})
        held = [Hold.from_db("default", RETURNED, row) for row in cursor.fetchall()]
        counts = Counter(one.voucher_id for one in held)
        used = outcome == Hold.Outcome.CONFIRMED
        rows = [{"id": one, "n": count, "used": count if used else 0} for one, count in counts.items()]
        cursor.execute(COUNT_ENDED, {"vouchers": as_jsonb(rows)})
        for voucher_id, uses_left, uses_held, status in cursor.fetchall():
            voucher = vouchers[voucher_id]
            voucher.uses_left, voucher.uses_held, voucher.status = uses_left, uses_held, status
    for one in held:
        one.voucher = vouchers[one.voucher_id]
    return sorted(held, key=lambda one: (one.voucher_id, one.serial))


def redemption_of(voucher: Voucher, serial: int, occasion: Occasion) -> Redemption:
    """One use, consumed on that occasion; not written yet."""
    return Redemption(
        id=new_id(),
        request_id=occasion.request_id,
        voucher=voucher,
        customer_id=voucher.customer_id,
        store_id=occasion.store_id,
        entity_id=occasion.entity_id,
        serial=serial,
        amount_fen=voucher.use_amounts_fen[serial - 1],
        business_date=occasion.business_date,
        redeemed_at=occasion.redeemed_at,
        reversible_until=occasion.reversible_until,
    )
