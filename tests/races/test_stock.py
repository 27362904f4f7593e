"""The last cup: the conditional UPDATE promises it once; without its condition it is promised to everybody."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import OperationalError, transaction

from stores.errors import ProductSoldOut
from stores.models import DailyTally, StockLevel
from stores.services import stock
from tests import factories
from tests.races.at_once import at_once
from tests.races.squeezed import Squeezed
from tests.stores import stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.mark.parametrize("mode", ["counted", "daily_limit"])
def test_the_last_cup_has_one_buyer(mode: str) -> None:
    store = factories.store(factories.brand())
    for _ in range(4):
        product = stocked.keep(store, mode, units=2)

        answers = at_once(*[lambda p=product: stocked.reserve(store, {p: 1})] * 6)

        assert [type(answer) for answer in answers].count(UUID) == 2
        assert {answer.code for answer in answers if not isinstance(answer, UUID)} == {ProductSoldOut.code}


@pytest.mark.parametrize(
    ("mode", "condition"),
    [("counted", "AND l.on_hand - l.reserved >= level.n"), ("daily_limit", "tally.taken + excluded.taken <= (")],
)
def test_without_the_condition_the_last_cup_is_promised_twice(
    mode: str, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert condition in stock.RESERVE
    always = "tally.taken + excluded.taken >= -(" if mode == "daily_limit" else ""
    monkeypatch.setattr(stock, "RESERVE", stock.RESERVE.replace(condition, always))
    store = factories.store(factories.brand())
    product = stocked.keep(store, mode, units=1)

    answers = at_once(*[lambda: stocked.reserve(store, {product: 1})] * 2)

    assert [type(answer) for answer in answers] == [UUID, UUID]
    promised = (
        StockLevel.objects.get(product=product).reserved
        if mode == "counted"
        else DailyTally.objects.get(product=product).taken
    )
    assert promised == 2


def test_orders_of_the_same_products_wait_in_line() -> None:
    store = factories.store(factories.brand())
    products = [stocked.keep(store, "counted", units=100) for _ in range(6)]

    answers = at_once(
        *[
            lambda turn=turn: stocked.reserve(store, dict.fromkeys(products[turn:] + products[:turn], 1))
            for turn in range(6)
        ]
    )

    assert {type(answer) for answer in answers} == {UUID}


def test_a_reservation_is_given_back_once() -> None:
    store = factories.store(factories.brand())
    product = stocked.keep(store, "counted", units=1)
    order = stocked.reserve(store, {product: 1})

    assert sorted(at_once(*[lambda: stocked.give_back(order)] * 4)) == [0, 0, 0, 1]
    assert StockLevel.objects.get(product=product).reserved == 0


def wait_at(level: StockLevel, act: Callable[[], object], *, meanwhile: Callable[[], object]) -> object:
    """What ``act`` answers that has to wait for this level; ``meanwhile`` is done while it waits."""
    waiting = Squeezed(act)
    with transaction.atomic():
        StockLevel.objects.select_for_update(no_key=True).get(pk=level.pk)
        waiting.begin()
        meanwhile()
    return waiting.answer()


def given_back_at_a_locked_level() -> object:
    """An order of a counted and a limited product is given back while somebody has the counted one locked."""
    store = factories.store(factories.brand())
    counted, limited = stocked.keep(store, "counted"), stocked.keep(store, "daily_limit")
    order = stocked.reserve(store, {counted: 1, limited: 1})
    tallies = DailyTally.objects.select_for_update(no_key=True, nowait=True)
    return wait_at(
        StockLevel.objects.get(product=counted),
        lambda: stocked.give_back(order),
        meanwhile=lambda: tallies.get(product=limited),
    )


def test_giving_back_takes_levels_before_tallies_as_reserving_does() -> None:
    assert given_back_at_a_locked_level() == 2


def test_in_another_order_giving_back_and_reserving_would_wait_in_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = "WHERE (SELECT count(*) FROM level) >= 0"
    assert guard in stock.GIVE_BACK
    monkeypatch.setattr(stock, "GIVE_BACK", stock.GIVE_BACK.replace(guard, ""))

    with pytest.raises(OperationalError, match="could not obtain lock"):
        given_back_at_a_locked_level()


def test_without_minding_its_state_a_reservation_is_given_back_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = "AND state IN ('open', 'moved')"
    assert guard in stock.GIVE_BACK
    without = stock.GIVE_BACK.replace(guard, "").replace("CASE state WHEN 'open'", "CASE WHEN true")
    monkeypatch.setattr(stock, "GIVE_BACK", without)
    store = factories.store(factories.brand())
    product = stocked.keep(store, "counted", units=2)
    stocked.reserve(store, {product: 1})
    order = stocked.reserve(store, {product: 1})

    stocked.give_back(order)
    stocked.give_back(order)

    assert StockLevel.objects.get(product=product).reserved == 0, "the other order's cup is free"
