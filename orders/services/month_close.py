"""Closing the books: a month becomes statements that never change, and a store that closed gets its last one."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max, Min

from config.kernel import audit, outbox
from config.kernel.caller import MACHINE, Caller
from config.kernel.ids import public
from orders.errors import EarlierMonthOpen, MonthHasOpenWork, MonthNotOver
from orders.models import ClosedStatement, SettlementBooks, StoreStatement
from orders.models.settlement import AMOUNTS
from orders.services.settlement_lines import OPEN_SINCE
from stores.models import Brand, Store

# Each along the index of what is not settled yet: the set is the last hours' work, whatever was sold before.
WAITING = """
SELECT (
    SELECT count(*) FROM vouchers_redemption redemption
    JOIN vouchers_voucher voucher ON voucher.id = redemption.voucher_id
    WHERE redemption.settled_at IS NULL AND redemption.reversed_at IS NULL
        AND redemption.business_date < %(until)s AND voucher.brand_id = %(brand_id)s
) + (
    SELECT count(*) FROM orders_surcharge surcharge
    JOIN vouchers_redemption redemption ON redemption.id = surcharge.redemption_id
    WHERE surcharge.status = 'paid' AND surcharge.settled_at IS NULL
        AND redemption.business_date < %(until)s AND surcharge.brand_id = %(brand_id)s
) + (
    SELECT count(*) FROM orders_storeorder
    WHERE status IN ('ready', 'collected', 'uncollected') AND due_fen > 0 AND settled_at IS NULL
        AND business_date < %(until)s AND brand_id = %(brand_id)s
)
"""
_SUMS = ", ".join(f"sum({name})" for name in AMOUNTS)
CLOSE = f"""
INSERT INTO orders_closedstatement
    (id, kind, brand_id, store_id, entity_id, month, since, until, closed_at, lines, {", ".join(AMOUNTS)})
SELECT gen_random_uuid(), %(kind)s, brand_id, store_id, entity_id, %(month)s, %(since)s, %(until)s, %(at)s,
    sum(lines), {_SUMS}
FROM orders_storestatement
WHERE brand_id = %(brand_id)s AND day >= %(since)s AND day < %(until)s
    AND (%(store_id)s::uuid IS NULL OR store_id = %(store_id)s)
GROUP BY brand_id, store_id, entity_id
"""  # noqa: S608 - constants
# Closed stores that have lines in open books and no last statement of them yet.
LEAVING = """
SELECT store.id, store.brand_id, store.zone, books.open_from
FROM stores_store store JOIN orders_settlementbooks books ON books.brand_id = store.brand_id
WHERE store.status = 'closed'
    AND EXISTS (SELECT FROM orders_storestatement WHERE store_id = store.id AND day >= books.open_from)
    AND NOT EXISTS (SELECT FROM orders_closedstatement WHERE store_id = store.id AND kind = 'final')
    AND NOT EXISTS (SELECT FROM vouchers_redemption redemption WHERE redemption.store_id = store.id
        AND redemption.redeemed_at > store.closed_at - interval '3 days'
        AND redemption.settled_at IS NULL AND redemption.reversed_at IS NULL)
    AND NOT EXISTS (SELECT FROM orders_surcharge surcharge WHERE surcharge.store_id = store.id
        AND surcharge.status IN ('open', 'paid') AND surcharge.settled_at IS NULL)
    AND NOT EXISTS (SELECT FROM orders_storeorder store_order WHERE store_order.store_id = store.id
        AND store_order.status IN ('placed', 'confirmed', 'accepted', 'making', 'ready'))
    AND NOT EXISTS (SELECT FROM orders_storeorder store_order WHERE store_order.store_id = store.id
        AND store_order.status IN ('ready', 'collected', 'uncollected') AND due_fen > 0 AND settled_at IS NULL)
ORDER BY store.id LIMIT %(limit)s
"""


def close_month(*, brand_id: UUID, month: date, by: Caller, at: datetime) -> SettlementBooks:
    """
    Freeze the statements of the month that begins on ``month``; what comes for it later is booked after it.

    Repeating changes nothing. Holds the books alone, so nothing is booked meanwhile: a line is in the closed month,
    or on a day after it.

    Raises:
        MonthNotOver: its last day has not ended where the brand is.
        EarlierMonthOpen: a month before it has lines and is open.
        MonthHasOpenWork: something of it waits for its settlement.
    """
    assert month.day == 1, "the edge says which day a month begins"
    until = following(month)
    with transaction.atomic(durable=True):
        brand = Brand.objects.get(pk=brand_id)
        SettlementBooks.objects.get_or_create(brand_id=brand_id, defaults={"open_from": OPEN_SINCE})
        books = SettlementBooks.objects.select_for_update(no_key=True).get(brand_id=brand_id)
        if books.open_from >= until:
            return books
        if at.astimezone(ZoneInfo(brand.zone)).date() < until:
            raise MonthNotOver(month=f"{month:%Y-%m}", param="month")
        open_days = StoreStatement.objects.filter(brand_id=brand_id, day__gte=books.open_from, day__lt=month)
        if earlier := open_days.aggregate(day=Min("day"))["day"]:
            raise EarlierMonthOpen(month=f"{earlier:%Y-%m}", param="month")
        if waiting := _waiting(brand_id, until=until):
            raise MonthHasOpenWork(waiting=waiting)
        closed = _close(ClosedStatement.Kind.MONTH, brand_id, month=month, since=month, until=until, at=at)
        books.open_from = until
        books.save(update_fields=["open_from"])
        audit.record(
            act="books.month_closed",
            actor_kind=by.kind,
            actor_id=by.id,
            subject_kind="brand",
            subject_id=brand_id,
            brand_id=brand_id,
            details={"month": f"{month:%Y-%m}", "statements": closed},
            at=at,
        )
        outbox.announce(
            brand_id=brand_id,
            topic="statements.month_closed",
            items=[{"month": f"{month:%Y-%m}", "statements": closed}],
            at=at,
        )
        return books


def close_accounts_of_closed_stores(*, limit: int, at: datetime) -> int:
    """
    The last statement of up to ``limit`` closed stores of which nothing waits any more; how many stores that were.

    It covers all that was open until today. What still comes for such a store, a refund after use say, is booked
    on a later day and on that month's statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(LEAVING, {"limit": limit})
        leaving = cursor.fetchall()
    return sum(
        _close_store(store_id, brand_id=brand_id, today=at.astimezone(ZoneInfo(zone)).date(), at=at)
        for store_id, brand_id, zone, _ in leaving
    )


def following(month: date) -> date:
    """The first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _close_store(store_id: UUID, *, brand_id: UUID, today: date, at: datetime) -> bool:
    with transaction.atomic(durable=True):
        # Alone with the books, as for a month; whoever came before us has written it already.
        books = SettlementBooks.objects.select_for_update(no_key=True).get(brand_id=brand_id)
        if ClosedStatement.objects.filter(store_id=store_id, kind=ClosedStatement.Kind.FINAL).exists():
            return False
        open_days = StoreStatement.objects.filter(store_id=store_id, day__gte=books.open_from)
        days = open_days.aggregate(first=Min("day"), last=Max("day"))
        if days["first"] is None or days["last"] >= today:
            return False  # today is not over: tomorrow
        written = _close(
            ClosedStatement.Kind.FINAL,
            brand_id,
            month=today.replace(day=1),
            since=days["first"],
            until=today,
            store_id=store_id,
            at=at,
        )
        audit.record(
            act="books.store_closed",
            actor_kind=MACHINE.kind,
            actor_id=None,
            subject_kind="store",
            subject_id=store_id,
            brand_id=brand_id,
            details={"statements": written},
            at=at,
        )
        outbox.announce(
            brand_id=brand_id,
            topic="statements.store_closed",
            items=[{"store": public(Store.PREFIX, store_id), "until": today.isoformat()}],
            at=at,
        )
        return True


def _waiting(brand_id: UUID, *, until: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"brand_id": brand_id, "until": until})
        (waiting,) = cursor.fetchone()
    return int(waiting)


def _close(
    kind: ClosedStatement.Kind,
    brand_id: UUID,
    *,
    month: date,
    since: date,
    until: date,
    at: datetime,
    store_id: UUID | None = None,
) -> int:
    asked: dict[str, Any] = {"kind": kind.value, "brand_id": brand_id, "store_id": store_id, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(CLOSE, {**asked, "month": month, "since": since, "until": until})
        return int(cursor.rowcount)
