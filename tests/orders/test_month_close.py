"""Closing the books: a closed month never changes, what still comes is booked after it, a closed store ends."""

from datetime import date, timedelta

import pytest

from config.kernel.caller import MACHINE
from orders.errors import EarlierMonthOpen, MonthHasOpenWork, MonthNotOver
from orders.models import ClosedStatement, Settlement, SettlementBooks
from orders.queries import statement_files
from orders.services.month_close import close_accounts_of_closed_stores, close_month, following
from orders.services.settling import settle_uses
from stores.queries import Books
from stores.services import opening
from tests.factories import NOW
from tests.orders import settled
from tests.orders.settled import AFTER
from tests.orders.test_after_use import refund
from tests.vouchers.counters import Counter
from vouchers.models import Redemption

pytestmark = pytest.mark.django_db
JUNE, JULY = date(2026, 6, 1), NOW + timedelta(days=31)


@pytest.fixture
def counter() -> Counter:
    return settled.counter()


def close(counter: Counter, month: date = JUNE) -> SettlementBooks:
    return close_month(brand_id=counter.brand.pk, month=month, by=MACHINE, at=JULY)


def test_a_closed_month_is_a_statement_for_each_store_and_entity(counter: Counter) -> None:
    settled.settled(counter)
    settled.settled(counter, at=NOW + timedelta(days=3))

    assert close(counter).open_from == date(2026, 7, 1)
    close(counter)
    [closed] = ClosedStatement.objects.all()
    assert (closed.store, closed.entity, closed.lines, closed.entity_fen) == (counter.store, counter.entity, 2, 1_746)


def test_what_comes_late_is_booked_on_the_first_open_day(counter: Counter) -> None:
    settled.settled(counter)
    late = settled.used(counter, at=NOW + timedelta(days=1))
    with pytest.raises(MonthHasOpenWork) as refused:
        close(counter)
    assert refused.value.details["waiting"] == 1

    SettlementBooks.objects.update(open_from=date(2026, 7, 1))  # as if it had been closed without it
    settle_uses(at=JULY)
    line = Settlement.objects.get(pk=late.pk)
    assert (line.business_date, line.booked_date) == (date(2026, 6, 2), date(2026, 7, 1))


def test_a_refund_after_the_close_is_on_the_next_statement(counter: Counter) -> None:
    settled.settled(counter)
    close(counter)
    before = ClosedStatement.objects.values().get()
    refund(counter, Redemption.objects.get(), at=JULY)

    assert ClosedStatement.objects.values().get() == before
    assert Settlement.objects.get(source_kind="after_use").booked_date == JULY.date()


def test_a_month_is_closed_when_it_is_over_and_in_its_order(counter: Counter) -> None:
    settled.settled(counter)
    with pytest.raises(MonthNotOver):
        close(counter, date(2026, 7, 1))
    with pytest.raises(EarlierMonthOpen):
        close_month(brand_id=counter.brand.pk, month=date(2026, 7, 1), by=MACHINE, at=JULY + timedelta(days=31))
    assert following(date(2026, 12, 1)) == date(2027, 1, 1)


def test_a_store_that_closed_gets_its_last_statement_once_nothing_waits(counter: Counter) -> None:
    settled.settled(counter)
    waiting = settled.used(counter, at=AFTER)
    opening.close(store_id=counter.store.pk, reason="租约到期", by=MACHINE, at=AFTER)
    assert close_accounts_of_closed_stores(limit=10, at=AFTER) == 0

    settle_uses(at=AFTER + timedelta(hours=2))
    assert waiting.pk in set(Settlement.objects.values_list("pk", flat=True))
    assert close_accounts_of_closed_stores(limit=10, at=AFTER + timedelta(hours=3)) == 0, "its day is not over"
    tomorrow = NOW + timedelta(days=1)
    assert close_accounts_of_closed_stores(limit=10, at=tomorrow) == 1
    assert close_accounts_of_closed_stores(limit=10, at=tomorrow) == 0

    final = ClosedStatement.objects.get(kind="final")
    assert (final.store, final.lines, final.entity_fen) == (counter.store, 2, 1_746)
    assert (final.since, final.until) == (date(2026, 6, 1), date(2026, 6, 2))


def test_lines_stream_by_day_and_store_to_whom_they_belong(counter: Counter) -> None:
    first, second = settled.settled(counter), settled.settled(counter, at=NOW + timedelta(days=1))
    other = settled.counter(brand=counter.brand)
    strange = settled.settled(other)

    def ids(books: Books, until: date = date(2026, 7, 1)) -> list[object]:
        return [line[0] for line in statement_files.lines(books=books, since=JUNE, until=until)]

    assert set(ids(Books(counter.brand.pk, None))) == {first.public_id, second.public_id, strange.public_id}
    assert ids(Books(counter.brand.pk, frozenset({counter.entity.pk}))) == [first.public_id, second.public_id]
    assert ids(Books(counter.brand.pk, frozenset({counter.entity.pk})), date(2026, 6, 2)) == [first.public_id]
    assert ids(Books(settled.counter().brand.pk, None)) == []
