"""Workers that take materials, meeting each other, an undoing, a stock-take; and recipes replaced at once."""

from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from stores.models import MaterialUse, Product, Recipe, StockLevel, StockMovement, StockReservation, Store
from stores.services import consuming, products, recipes, stock_acts, stock_books
from stores.services.made import Made
from stores.services.recipes import RecipeSaid
from stores.services.settled import Settled
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once
from tests.races.squeezed import Squeezed, squeeze
from tests.stores import stocked
from tests.stores.stocked import asked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


@pytest.fixture
def tea(store: Store) -> Product:
    return factories.product(store.brand)


def consume() -> Settled:
    return consuming.consume(at=NOW)


def take_uncommitted() -> None:
    """A worker's statement in the transaction of the test."""
    with connection.cursor() as cursor:
        cursor.execute(consuming.CONSUME, {"limit": 100, "at": NOW})


def books() -> tuple[int, int]:
    """On hand, and the sum of the movements."""
    return StockLevel.objects.get().on_hand, sum(StockMovement.objects.values_list("quantity", flat=True))


def test_workers_take_each_use_once(store: Store, tea: Product) -> None:
    stocked.made_of(store, tea, 1)
    for _ in range(12):
        stocked.cups(store, tea)

    answers = at_once(*[lambda: consuming.consume(limit=5, at=NOW)] * 4)

    while consume().lines:
        pass
    assert all(isinstance(answer, Settled) for answer in answers), answers
    assert books() == (988, 988)


def beside_another_worker(store: Store, tea: Product) -> object:
    """What a worker answers that begins while another one has taken everything and has not committed."""
    stocked.made_of(store, tea, 100)
    stocked.cups(store, tea)
    second = Squeezed(consume)
    with transaction.atomic():
        take_uncommitted()
        second.begin()
    return second.answer()


def test_what_one_worker_has_claimed_the_other_passes_by(store: Store, tea: Product) -> None:
    assert beside_another_worker(store, tea) == Settled(0, 0)
    assert books() == (900, 900)


def test_without_minding_the_state_materials_are_taken_twice(
    store: Store, tea: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    for guard in ("FOR NO KEY UPDATE SKIP LOCKED", "AND u.state = 'open'"):
        assert guard in consuming.CONSUME
        monkeypatch.setattr(consuming, "CONSUME", consuming.CONSUME.replace(guard, ""))

    second = beside_another_worker(store, tea)

    assert isinstance(second, IntegrityError), "the last guard is the database's own"


def undone_while_taken(store: Store, tea: Product) -> UUID:
    """An order is undone while a worker has taken its materials and has not committed."""
    stocked.made_of(store, tea, 100)
    order = stocked.cups(store, tea)
    undoing = Squeezed(lambda: stocked.give_back(order))
    with transaction.atomic():
        take_uncommitted()
        undoing.begin()
    assert undoing.answer() == 0, "no reservation was there to give back"
    return order


def test_what_is_taken_and_undone_at_once_is_restored(store: Store, tea: Product) -> None:
    order = undone_while_taken(store, tea)

    assert MaterialUse.objects.get(source_id=order).state == "returned"
    assert books() == (1_000, 1_000)


def test_an_undoing_that_looks_only_for_what_is_open_loses_what_is_taken_meanwhile(
    store: Store, tea: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = "AND state IN ('open', 'consumed')"
    assert guard in stocked.stock.GIVE_BACK
    monkeypatch.setattr(stocked.stock, "GIVE_BACK", stocked.stock.GIVE_BACK.replace(guard, "AND state = 'open'"))

    undone_while_taken(store, tea)

    assert books() == (900, 900), "undone, and gone from the shelf"


def test_an_undone_use_is_passed_by(store: Store, tea: Product) -> None:
    stocked.made_of(store, tea, 100)
    order = stocked.cups(store, tea)
    worker = Squeezed(consume)
    with transaction.atomic():
        stocked.stock.give_back(source_kind=StockReservation.Source.STORE_ORDER, source_ids=[order], at=NOW)
        worker.begin()

    assert worker.answer() == Settled(0, 0)
    assert (consume(), books()) == (Settled(0, 0), (1_000, 1_000))


def taken_while_counting(store: Store, tea: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """900 stand there: of 1,000 on the books 100 were used, and a worker takes them after she has looked."""
    material = stocked.made_of(store, tea, 100)
    stocked.cups(store, tea)
    worker = squeeze(monkeypatch, stock_books, "lock_counted", consume)
    stock_acts.take_stock(asked(store, {material: 900}))
    assert worker.answer() == Settled(1, 0)


def test_a_worker_waits_for_a_count_of_its_material(
    store: Store, tea: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_while_counting(store, tea, monkeypatch)

    assert books() == (900, 900)


def test_without_the_levels_lock_what_was_used_is_taken_twice(
    store: Store, tea: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(of: Store, product_ids: list[UUID]) -> dict[UUID, StockLevel]:
        return {level.product_id: level for level in StockLevel.objects.filter(store=of, product__in=product_ids)}

    monkeypatch.setattr(stock_books, "lock_counted", look)

    taken_while_counting(store, tea, monkeypatch)

    assert books() == (800, 800), "900 stand there"


def test_recipes_said_at_once_follow_each_other(store: Store, tea: Product) -> None:
    material = factories.material(store.brand)

    answers = at_once(
        *[
            lambda quantity=quantity: recipes.replace(
                product_id=tea.id, lines=[RecipeSaid(material.id, quantity)], by=stocked.MANAGER, at=NOW
            )
            for quantity in (1, 2, 3)
        ]
    )

    assert [type(answer) for answer in answers] == [Made] * 3, answers
    assert sorted(Recipe.objects.values_list("number", flat=True)) == [1, 2, 3]


def test_without_the_products_lock_two_recipes_want_one_number(
    store: Store, tea: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say() -> Made[Recipe]:
        line = RecipeSaid(factories.material(store.brand).id, 1)
        return recipes.replace(product_id=tea.id, lines=[line], by=stocked.MANAGER, at=NOW)

    monkeypatch.setattr(products, "lock", lambda product_id: Product.objects.get(id=product_id))
    meanwhile = squeeze(monkeypatch, recipes, "_next_number", say)

    with pytest.raises(IntegrityError, match="recipe_has_its_number"):
        say()

    assert isinstance(meanwhile.answer(), Made)
