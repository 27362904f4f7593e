"""
Uses that a store order consumes, in three acts: at once where nothing is left to pay, their window from the
moment the drinks are ready, and all of them back where the order is cancelled or rejected.

What an order that waits for its money keeps meanwhile is ``holds``'.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel import outbox
from config.kernel.ids import public
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Customer, Store
from vouchers import errors, queries
from vouchers.models import Redemption, Voucher
from vouchers.queries.facts import Story
from vouchers.services import grant_reversal, voucher_locks
from vouchers.services.holds import Occasion, redemption_of
from vouchers.services.redemption_batch import USE_UP
from vouchers.services.redemption_rows import WRITE_REDEMPTIONS, announced, row_of
from vouchers.services.reversal import GRACE_AFTER_EXPIRY
from vouchers.signals import redeemed, reversed_
from vouchers.verdict import status_of, valid_until_of

WRITE_REQUEST = """
    INSERT INTO vouchers_redemptionrequest
        (id, store_id, request_id, content_hash, source_kind, source_id, outcome, requested_at)
    VALUES (%(id)s, %(store_id)s, %(source_id)s, decode(%(hash)s, 'hex'), 'store_order', %(source_id)s, 'done', %(at)s)
"""
BEGIN_WINDOW = """
    UPDATE vouchers_redemption SET reversible_until = %(until)s
    WHERE request_id = %(request_id)s AND reversed_at IS NULL AND reversible_until IS NULL
"""
MARK = """
    UPDATE vouchers_redemption
    SET reversed_at = greatest(%(at)s, redeemed_at), reversed_by_id = %(by_id)s, reversal_request_id = %(reversal_id)s
    WHERE request_id = %(request_id)s AND reversed_at IS NULL AND settled_at IS NULL
    RETURNING id
"""
FREE_USES = """
    UPDATE vouchers_voucher v SET
        uses_left = v.uses_left + k.n,
        valid_until = k.until, extensions = k.extensions,
        status = CASE
            WHEN EXISTS (SELECT FROM vouchers_useending
                         WHERE voucher_id = v.id AND refunding_at IS NOT NULL AND refunded_at IS NULL) THEN 'refunding'
            WHEN v.uses_held > 0 THEN 'held' ELSE 'issued' END
    FROM jsonb_to_recordset(%(vouchers)s::jsonb) AS k(id uuid, n smallint, until timestamptz, extensions smallint)
    WHERE v.id = k.id
    RETURNING v.id, v.uses_left, v.valid_until
"""


def request(*, id: UUID, order_id: UUID, store_id: UUID, content_hash: bytes, at: datetime) -> None:
    """The request that owns what an order redeems, once per order. Runs inside the caller's transaction."""
    with pipelined() as send:
        send(
            WRITE_REQUEST,
            {"id": id, "store_id": store_id, "source_id": order_id, "hash": content_hash.hex(), "at": at},
        )


def redeem_at_once(
    *,
    uses: Sequence[tuple[Voucher, int]],
    stories: Mapping[UUID, Story],
    occasion: Occasion,
    acts: Sequence[Act],
    messages: Sequence[Message],
    at: datetime,
) -> list[Redemption]:
    """
    Consume these uses (voucher and serial) of vouchers that the caller has locked and found free.

    Runs inside the caller's transaction, last in it because the ledger is told. ``stories`` were read under the
    locks; ``acts`` and ``messages`` are the order's, written on the same trip.
    """
    assert connection.in_atomic_block, "uses are consumed for an order that commits with them"
    taken = Counter(voucher.id for voucher, _ in uses)
    vouchers = {voucher.id: voucher for voucher, _ in uses}
    for voucher_id, count in taken.items():
        voucher, story = vouchers[voucher_id], stories.get(voucher_id, Story())
        voucher.uses_left -= count
        voucher.status = status_of(
            uses_left=voucher.uses_left,
            uses_held=voucher.uses_held,
            refunding=False,  # or the verdict had refused it
            refunded=story.refunding_at is not None,
            expired=story.any_expired,
        )
    redemptions = [redemption_of(voucher, serial, occasion) for voucher, serial in uses]
    counters = [{"id": v.id, "l": v.uses_left, "st": str(v.status)} for v in vouchers.values()]
    told: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for redemption in redemptions:
        told[redemption.voucher.brand_id].append(announced(redemption, redemption.voucher))
    with pipelined() as send:
        rows = as_jsonb([row_of(redemption) for redemption in redemptions])
        moments = {"at": occasion.redeemed_at, "until": occasion.reversible_until}
        send(WRITE_REDEMPTIONS, {"redemptions": rows, **moments})
        send(USE_UP, {"vouchers": as_jsonb(counters)})
        of_uses = [Message(brand, "vouchers.redeemed", items) for brand, items in told.items()]
        send_trail(send, acts, [*messages, *of_uses], at=at)
    redeemed.send(sender=Redemption, redemptions=redemptions, at=at)
    return redemptions


def begin_window(*, request_id: UUID, until: datetime) -> None:
    """The drinks are ready: from ``until`` on the redemptions settle. Runs inside the caller's transaction."""
    with pipelined() as send:
        send(BEGIN_WINDOW, {"request_id": request_id, "until": until})


def reverse_all(*, request_id: UUID, by_id: UUID | None, reversal_id: UUID, at: datetime) -> list[Redemption]:
    """
    Every use that an order consumed is free again; one whose time is over meanwhile gets 24 hours.

    Runs inside the caller's transaction, which leaves the trail of who did it; locks the vouchers in key order.
    Repeating changes nothing.

    Raises:
        RedemptionSettled: the store has been credited for one of them.
    """
    assert connection.in_atomic_block, "uses come back with the order that gives them back"
    asked = list(Redemption.objects.filter(request_id=request_id, reversed_at__isnull=True).order_by("id"))
    if not asked:
        return []
    ids = {one.voucher_id for one in asked}
    grant_reversal.look_again(voucher_ids=ids, at=at)
    vouchers = {voucher.id: voucher for voucher in voucher_locks.lock(ids)}
    counts = Counter(one.voucher_id for one in asked)
    with pipelined() as send:
        marked = send(MARK, {"request_id": request_id, "by_id": by_id, "reversal_id": reversal_id, "at": at})
        freed = send(FREE_USES, {"vouchers": as_jsonb(_freed(vouchers, counts, at=at)), "at": at})
    # Settlement does not take the voucher's lock; whoever sets its column first wins.
    if len(marked.fetchall()) != len(asked):
        raise errors.RedemptionSettled
    for voucher_id, uses_left, valid_until in freed.fetchall():
        vouchers[voucher_id].uses_left, vouchers[voucher_id].valid_until = uses_left, valid_until
    for redemption in asked:
        redemption.voucher, redemption.reversed_at = vouchers[redemption.voucher_id], max(at, redemption.redeemed_at)
    _announce(asked, at=at)
    reversed_.send(sender=Redemption, redemptions=asked, at=at)
    return asked


def _freed(vouchers: Mapping[UUID, Voucher], counts: Mapping[UUID, int], *, at: datetime) -> list[dict[str, Any]]:
    """How many uses of each are free again, and until when: amendments are counted, as at the counter."""
    terms = queries.terms({voucher.terms_id for voucher in vouchers.values()})
    rows = []
    for voucher_id, count in counts.items():
        voucher = vouchers[voucher_id]
        until = valid_until_of(voucher, terms[voucher.terms_id])
        until = until if at < until else at + GRACE_AFTER_EXPIRY
        extensions = len(terms[voucher.terms_id].extensions)
        rows.append({"id": voucher_id, "n": count, "until": until, "extensions": extensions})
    return rows


def _announce(redemptions: Sequence[Redemption], *, at: datetime) -> None:
    items: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for redemption in redemptions:
        voucher = redemption.voucher
        items[voucher.brand_id].append(
            {
                "redemption": redemption.public_id,
                "voucher": voucher.public_id,
                "customer": public(Customer.PREFIX, voucher.customer_id),
                "store": public(Store.PREFIX, redemption.store_id),
                "serial": redemption.serial,
                "amount_fen": redemption.amount_fen,
                "uses_left": voucher.uses_left,
                "valid_until": voucher.valid_until.isoformat(),
            }
        )
    for brand_id, told in items.items():
        outbox.announce(brand_id=brand_id, topic="vouchers.reversed", items=told, at=at)
