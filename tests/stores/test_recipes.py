"""What products are made of: said by head office, followed from its start, taken from stock once and put back."""

import io
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from config.kernel.models import AuditEntry, OutboxMessage
from orders.services import order_moves
from stores.errors import MenuFileRefused, StockRuleInvalid
from stores.models import MaterialUse, Option, Product, Recipe, StockLevel, StockMovement, Store
from stores.services import consuming, menu_import, recipes, stock_acts, stock_keeping
from stores.services.recipes import RecipeSaid
from stores.services.settled import Settled
from stores.services.stock_keeping import StockRule
from tests import factories
from tests.factories import NOW
from tests.orders import ordering
from tests.stores import stocked
from tests.vouchers import counters
from tests.vouchers.http import as_staff, error_of, get, post, put
from vouchers.models import Redemption
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


def say(product: Product, *lines: RecipeSaid, **fields: Any) -> Recipe:
    made = recipes.replace(product_id=product.id, lines=lines, **{"by": stocked.MANAGER, "at": NOW, **fields})
    return made.row


def of(material: Product, quantity: int, *options: Option) -> RecipeSaid:
    return RecipeSaid(material.id, quantity, frozenset(option.id for option in options))


def consume() -> Settled:
    return consuming.consume(at=LATER)


def taken(source_id: UUID) -> dict[str, int]:
    """By kind of movement."""
    return dict(StockMovement.objects.filter(source_id=source_id).values_list("kind", "quantity"))


def on_hand(material: Product) -> int:
    return StockLevel.objects.get(product=material).on_hand


# --- what head office says, over HTTP ---------------------------------------------------------------


def test_a_recipe_is_said_repeated_replaced_and_read(store: Store) -> None:
    owner = as_staff(factories.staff(store.brand, role="owner").user)
    tea = factories.product(store.brand)
    size = factories.option_group(store.brand, tea).options.get(code="大杯")
    at = f"products/{tea.public_id}/recipe"
    milk = {"brand": store.brand.public_id, "code": "M1", "name": "鲜牛奶", "unit": "ml"}

    made, again = post("materials", owner, milk), post("materials", owner, milk)
    other_unit = post("materials", owner, {**milk, "unit": "g"})
    line = {"material": made.json()["id"], "quantity": 150}
    lines = [line, {**line, "quantity": 50, "options": [size.public_id]}]
    first, repeated = put(at, owner, {"lines": lines}), put(at, owner, {"lines": lines[::-1]})
    later = put(at, owner, {"lines": [line], "starts_at": "2099-01-01T00:00:00Z"})

    assert (made.status_code, again.status_code, made.json()) == (201, 200, again.json())
    assert error_of(other_unit) == (409, "code_taken")
    assert (first.status_code, repeated.json(), later.json()["number"]) == (200, first.json(), 2)
    shown = get(at, as_staff(factories.staff(store.brand, store=store).user)).json()
    assert (shown["in_force"], [one["id"] for one in shown["coming"]]) == (first.json(), [later.json()["id"]])
    assert [(one["unit"], one["quantity"], len(one["options"])) for one in first.json()["lines"]] == [
        ("ml", 150, 0),
        ("ml", 50, 1),
    ]
    assert [one["code"] for one in get("materials", owner).json()["items"]] == ["M1"]
    assert AuditEntry.objects.filter(act="product.recipe_replaced").count() == 2
    assert [one["id"] for one in get("products", owner).json()["items"]] == [tea.public_id], "a material is none"


def test_a_recipe_that_cannot_be_is_refused_by_name(store: Store) -> None:
    owner = as_staff(factories.staff(store.brand, role="owner").user)
    tea, milk = factories.product(store.brand), factories.material(store.brand)
    strangers = factories.option_group(store.brand).options.all()
    line = {"material": milk.public_id, "quantity": 1}

    def refused(path: Product = tea, **body: Any) -> tuple[int, str]:
        return error_of(put(f"products/{path.public_id}/recipe", owner, {"lines": [line], **body}))

    assert refused(starts_at="2020-01-01T00:00:00Z") == (422, "recipe_invalid")
    assert refused(lines=[line, line]) == (422, "recipe_invalid")
    assert refused(lines=[{**line, "quantity": 0}]) == (422, "recipe_invalid")
    assert refused(lines=[]) == (422, "recipe_invalid"), "there is none to end"
    assert refused(lines=[{**line, "material": tea.public_id}]) == (404, "material_not_found")
    foreign = factories.material(factories.brand())
    assert refused(lines=[{**line, "material": foreign.public_id}]) == (404, "material_not_found")
    assert refused(lines=[{**line, "options": [strangers[0].public_id]}]) == (404, "option_not_found")
    assert refused(milk) == (404, "product_not_found")
    assert refused(factories.product(store.brand, withdrawn_at=NOW, is_sold=False)) == (409, "product_withdrawn")
    assert not Recipe.objects.exists()


def test_a_store_manager_reads_recipes_and_says_none(store: Store) -> None:
    manager = as_staff(factories.staff(store.brand, role="store_manager", store=store).user)
    tea, milk = factories.product(store.brand), factories.material(store.brand)
    body = {"lines": [{"material": milk.public_id, "quantity": 1}]}

    assert put(f"products/{tea.public_id}/recipe", manager, body).status_code == 403
    assert get(f"products/{tea.public_id}/recipe", manager).json() == {"in_force": None, "coming": []}


def test_a_material_is_counted_like_a_product_and_never_sold(store: Store) -> None:
    owner = as_staff(factories.staff(store.brand, role="owner").user)
    milk = stocked.keep(store, "counted", product=factories.material(store.brand, code="5"), units=1_000)
    at, line = f"stores/{store.public_id}/stock", {"lines": [{"product": milk.public_id, "quantity": 300}]}

    for act, body in (("receipts", line), ("waste", {**line, "reason": "过期"}), ("counts", line)):
        assert post(f"{at}/{act}", owner, body).status_code == 201, act
    sent = post(f"{at}/transfers", owner, {**line, "to": factories.store(store.brand).public_id})

    assert (sent.status_code, on_hand(milk)) == (201, 0)
    assert get(at, owner).json()["items"][0]["unit"] == "ml"
    answer = put(f"stores/{store.public_id}/products/{milk.public_id}/price", owner, {"price_fen": 100})
    assert error_of(answer) == (404, "product_not_found")
    with pytest.raises(StockRuleInvalid):
        stocked.keep(store, "daily_limit", product=milk)
    source = io.BytesIO("商品ID,分类,商品,价格\n5,纯茶,绿妍,16\n".encode())
    with pytest.raises(MenuFileRefused) as refusal:
        menu_import.import_menu(brand_id=store.brand_id, source=source, mapping={}, by=stocked.MANAGER, at=NOW)
    assert [problem.code for problem in refusal.value.problems] == ["product_is_material"]


def test_of_a_material_only_the_name_changes(store: Store, client: Any) -> None:
    owner = as_staff(factories.staff(store.brand, role="owner").user)
    milk = factories.material(store.brand)

    def edited(**changes: Any) -> Any:
        return client.patch(f"/api/v1/products/{milk.public_id}", changes, "application/json", headers=owner)

    assert error_of(edited(is_sold=True)) == (422, "material_is_not_sold")
    assert edited(name="燕麦奶").json()["name"] == "燕麦奶"


# --- what the worker takes --------------------------------------------------------------------------


def test_a_cup_takes_what_its_recipe_says_of_its_options_once(store: Store) -> None:
    tea = factories.product(store.brand)
    large, less = (
        factories.option_group(store.brand, tea, options={"中杯": 0, name: 0}).options.get(code=name)
        for name in ("大杯", "少糖")
    )
    milk, sugar = (
        stocked.keep(store, "counted", product=factories.material(store.brand), units=1_000) for _ in range(2)
    )
    unkept = factories.material(store.brand)
    say(tea, of(milk, 150), of(milk, 50, large), of(sugar, 10), of(sugar, -20, large, less), of(unkept, 1))
    plain, two_large = stocked.cups(store, tea), stocked.cups(store, tea, 2, large, less)
    stocked.cups(store, factories.product(store.brand))

    assert (consume(), consume()) == (Settled(2, 0), Settled(0, 0))

    assert (on_hand(milk), on_hand(sugar)) == (1_000 - 150 - 400, 990), "less than nothing is nothing"
    use = MaterialUse.objects.get(source_id=two_large)
    assert (use.state, use.taken, len(use.recipes)) == ("consumed", {str(milk.id): 400}, 1)
    movements = StockMovement.objects.filter(source_id=plain).values_list("kind", "product_id", "quantity")
    assert sorted(movements) == sorted([("consumed", milk.id, -150), ("consumed", sugar.id, -10)])
    assert AuditEntry.objects.get(act="stock.consumed").subject_count == 2


def test_a_cup_goes_by_the_recipe_of_when_it_was_made(store: Store) -> None:
    tea = factories.product(store.brand)
    milk = stocked.made_of(store, tea, 100)
    day = timedelta(days=1)
    say(tea, of(milk, 30), at=NOW + day, starts_at=NOW + 2 * day)
    say(tea, of(milk, 7), at=NOW + day)
    for number in range(4):
        stocked.cups(store, tea, at=NOW + number * day)

    consuming.consume(at=NOW + 5 * day)

    moved = StockMovement.objects.filter(kind="consumed").order_by("business_date")
    assert list(moved.values_list("quantity", flat=True)) == [-100, -7, -30, -30]


def test_less_than_nothing_is_listed_and_told(store: Store) -> None:
    tea = factories.product(store.brand)
    milk = stocked.made_of(store, tea, 600)
    stocked.cups(store, tea, 2)

    assert consume() == Settled(1, 1)

    manager = as_staff(factories.staff(store.brand, role="store_manager", store=store).user)
    [short] = get(f"stores/{store.public_id}/stock", manager, running_out="true").json()["items"]
    assert (short["product"], short["on_hand"], short["is_short"]) == (milk.public_id, -200, True)
    [told] = OutboxMessage.objects.get(topic="stock.short").items
    assert told == {"store": store.public_id, "product": milk.public_id, "on_hand": -200}


def test_a_count_knows_what_is_used_and_not_taken_yet(store: Store) -> None:
    tea = factories.product(store.brand)
    milk = stocked.made_of(store, tea, 100)
    stocked.cups(store, tea)

    stock_acts.take_stock(stocked.asked(store, {milk: 900}))
    consume()

    assert on_hand(milk) == 900


def test_what_is_not_counted_here_any_more_is_not_taken(store: Store) -> None:
    tea = factories.product(store.brand)
    milk = stocked.made_of(store, tea)
    made = stocked.cups(store, tea)
    rule = StockRule(stocked.StockMode.SWITCH)
    stock_keeping.keep(store_id=store.id, product_id=milk.id, rule=rule, by=stocked.MANAGER, at=NOW)

    assert consume() == Settled(1, 0)
    assert (taken(made), MaterialUse.objects.get().taken) == ({}, {})


# --- orders and counters ----------------------------------------------------------------------------


@pytest.mark.parametrize("is_settled", [False, True])
def test_an_order_uses_materials_when_it_is_ready_and_its_rejection_restores_them(is_settled: bool) -> None:
    counter = counters.counter()
    tea = factories.product(counter.brand)
    milk = stocked.made_of(counter.store, tea, 200)
    order = ordering.confirmed(counter, product=tea)
    ordering.move(counter, order, "accept", "begin_making", at=LATER)
    assert not MaterialUse.objects.exists()
    ordering.move(counter, order, "ready", at=LATER)
    if is_settled:
        consume()
        assert on_hand(milk) == 800

    order_moves.reject(order_id=order.id, reason="洒了", at=LATER, **ordering.by_clerk(counter))

    assert (consume().lines, on_hand(milk)) == (0, 1_000)
    assert taken(order.id) == ({"consumed": -200, "restored": 200} if is_settled else {})


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_package_over_the_counter_uses_materials_of_the_usual_answers(is_settled: bool) -> None:
    counter = counters.counter()
    tea = factories.product(counter.brand)
    usual, large = factories.option_group(counter.brand, tea).options.order_by("position")
    milk = stocked.made_of(counter.store, tea, 200)
    say(tea, of(milk, 150, usual), of(milk, 250, large))
    groups = [{"name": "主饮", "choose": 1, "items": [{"product": tea.public_id, "count": 2}]}]
    counter.redeem(counter.voucher(counter.terms(kind="package", package_groups=groups)).code)
    redemption = Redemption.objects.get()
    if is_settled:
        consume()
        assert taken(redemption.id) == {"consumed": -300}

    reverse(redemption_id=redemption.id, operator=counter.clerk, request_id=uuid4(), at=LATER)

    assert (consume().lines, on_hand(milk)) == (0, 1_000)
