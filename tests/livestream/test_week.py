"""The week after the livestream: who comes when, what runs out, and statements that add up."""

import random
from collections import Counter
from datetime import date, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from livestream.rehearsal import guests, shopfront, statements
from livestream.rehearsal.figures import in_flight
from orders.models.settlement import AMOUNTS
from stores.models import Store
from tests import factories
from tests.factories import NOW
from tests.orders import settled
from tests.orders.settled import AFTER, counter

TODAY = date(2026, 6, 9)


def test_a_week_ends_yesterday_and_everybody_comes_once() -> None:
    hours = guests.hours_of_the_week(TODAY, "Asia/Shanghai")

    days = Counter(hour.astimezone(ZoneInfo("Asia/Shanghai")).date() for hour, _ in hours)
    assert sorted(days) == [TODAY - timedelta(days=back) for back in range(7, 0, -1)]
    assert [hour for hour, _ in hours] == sorted(hour for hour, _ in hours)
    assert sum(share for _, share in hours) == pytest.approx(1)


def test_a_few_of_those_who_want_the_scarce_drink_come_too_late() -> None:
    store, luck = Store(id=uuid4()), random.Random(5)
    coming = guests.guests([uuid4() for _ in range(200)], [store], luck)

    wanted = sum(one.wants_scarce for one in coming)
    assert wanted - guests.supplies(coming, luck)[store.id] == round(200 * guests.SOLD_OUT_SHARE)
    assert sum(one.cancels for one in coming) == round(200 * guests.CANCELLING_SHARE)
    assert not any(one.content_with(guests.INSTEAD).wants_scarce for one in coming)


@pytest.mark.django_db(transaction=True)
def test_a_cart_is_ordered_as_the_menu_has_it() -> None:
    brand = factories.brand()
    shopfront.furnish(brand_id=brand.id, at=NOW)
    menu = guests.menu_of(brand.id)
    cup = guests.Cup("lime", ("large", "pearls"))
    guest = guests.Guest(uuid4(), Store(id=uuid4()), (cup, cup), cancels=False, collects=True)

    [line] = menu.lines(guest)

    assert line.quantity == 2
    assert line.product_id == menu.products["lime"]
    assert line.option_ids == (menu.options["large"], menu.options["pearls"])


@pytest.mark.django_db(transaction=True)
def test_statements_of_the_week_add_up_and_say_so() -> None:
    here = counter()
    settled.settled(here)
    settled.settled(here)

    week = statements.of_the_week(
        here.brand.id, name="青屿茶", stores=[here.store], until=AFTER.date() + timedelta(days=1)
    )

    assert all(statement.adds_up for statement in week.all)
    [row] = week.brand.rows.values()
    assert (row["lines"], row["paid_fen"], row["entity_fen"]) == (2, 2 * 970, 2 * 873)
    assert in_flight(here.brand.id)["unsettled"] == 0
    week.brand.total["brand_fen"] += 1
    assert not week.brand.adds_up


def test_a_column_that_does_not_add_up_is_told() -> None:
    row = Counter({"lines": 1, "paid_fen": 5, "share_fen": 5, "entity_fen": 5})
    total = Counter(dict.fromkeys(("lines", *AMOUNTS), 0))

    assert not statements.Statement("one", {"a cup": row}, total).adds_up
