"""What is offered instead of a sold-out product: chosen and logged, priced and settled as the product it stands for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.kernel.models import AuditEntry
from orders.models import Settlement, StoreOrder, StoreOrderLine
from orders.queries import statement_files, statement_lines
from orders.services import checkout, settling
from orders.services.quoting import CartLine
from stores.models import Product, StockLevel, StockReservation, StoreProduct, Substitution
from stores.queries import Books
from stores.services import consuming, stock, stock_keeping
from stores.services.stock_keeping import StockRule
from tests import factories
from tests.factories import NOW
from tests.orders import ordering
from tests.orders.test_checkout import Shop
from tests.stores import stocked
from tests.vouchers.http import as_customer, as_staff, error_of, get, post, put

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def sell_out(shop: Shop, product: Product) -> None:
    StoreProduct.objects.create(store=shop.store, product=product, sold_out_at=NOW)


def other(shop: Shop, **fields: Any) -> Product:
    return factories.product(shop.counter.brand, **fields)


def offered(shop: Shop, quantity: int = 1) -> list[str]:
    """What a refused quote offers instead of the drink."""
    line = {"product": shop.drink.public_id, "quantity": quantity}
    answer = post(f"stores/{shop.store.public_id}/quotes", as_customer(shop.customer), {"lines": [line]})
    assert error_of(answer) == (409, "product_sold_out")
    return [one["product"] for one in answer.json()["error"]["details"]["substitutes"]]


# --- what is offered --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["switch", "daily_limit", "counted"])
def test_a_drink_that_has_run_out_offers_its_category_at_no_higher_price(shop: Shop, how: str) -> None:
    cheap, same = other(shop, price_fen=1_500), other(shop, price_fen=1_900)
    other(shop, price_fen=2_000)
    other(shop, categories=["纯茶"], price_fen=1_000)
    other(shop, is_sold=False)
    sell_out(shop, other(shop))
    stocked.keep(shop.store, "counted", units=0)
    factories.material(shop.counter.brand)
    if how == "switch":
        sell_out(shop, shop.drink)
    else:
        stocked.keep(shop.store, how, product=shop.drink, units=0)

    assert offered(shop) == [same.public_id, cheap.public_id]


def test_head_offices_list_goes_before_and_in_its_order(shop: Shop) -> None:
    owner = as_staff(factories.staff(shop.counter.brand, role="owner").user)
    first, second, gone = (other(shop, categories=["纯茶"], price_fen=2_500) for _ in range(3))
    other(shop)
    sell_out(shop, gone)
    at = f"products/{shop.drink.public_id}/substitutes"
    body = {"substitutes": [one.public_id for one in (second, gone, first)]}

    answers = [put(at, owner, body) for _ in range(2)]
    stocked.keep(shop.store, "counted", product=shop.drink, units=1)

    assert offered(shop, 2) == [second.public_id, first.public_id], "one is left, two are wanted"
    assert answers[0].json() == answers[1].json() == get(at, owner).json()
    assert AuditEntry.objects.filter(act="product.substitutes_listed").count() == 1
    assert put(at, owner, {"substitutes": []}).json() == {"items": []}
    for wrong in (shop.drink, factories.product(factories.brand()), factories.material(shop.counter.brand)):
        assert error_of(put(at, owner, {"substitutes": [wrong.public_id]})) == (422, "substitute_refused")
    manager = as_staff(factories.staff(shop.counter.brand, role="store_manager", store=shop.store).user)
    assert put(at, manager, body).status_code == 403


def test_who_loses_the_last_cup_at_checkout_hears_what_there_is_instead(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea = other(shop)
    stocked.keep(shop.store, "counted", product=shop.drink, units=1)
    quoted = shop.quote()
    real = stock.send_reserve

    def taken_meanwhile(send: Any, **asked: Any) -> Any:
        stocked.reserve(shop.store, {shop.drink: 1})
        return real(send, **asked)

    monkeypatch.setattr(
        stock, "send_reserve", lambda send, **asked: _once(monkeypatch, real, taken_meanwhile, send, asked)
    )

    with pytest.raises(checkout.placing.ProductSoldOut) as refusal:
        shop.order(quoted)

    assert [one["product"] for one in refusal.value.details["substitutes"]] == [tea.public_id]


def _once(monkeypatch: pytest.MonkeyPatch, real: Any, first: Any, send: Any, asked: dict[str, Any]) -> Any:
    monkeypatch.setattr(stock, "send_reserve", real)
    return first(send, **asked)


# --- what becomes of it -----------------------------------------------------------------------------


def instead(shop: Shop, tea: Product, quantity: int = 1) -> CartLine:
    return CartLine(tea.id, (), quantity, shop.drink.id)


def test_a_substitute_is_priced_paid_and_settled_as_what_it_stands_for(shop: Shop) -> None:
    tea = other(shop, name="绿妍", price_fen=1_500)
    stocked.keep(shop.store, "counted", product=tea, units=5)
    milk = stocked.made_of(shop.store, tea, 100)
    sell_out(shop, shop.drink)
    card = shop.voucher("times_card", paid_fen=3_000, product_scope={"products": [shop.drink.public_id]})
    line = instead(shop, tea)

    quoted = shop.quote(line)
    placed = shop.order(quoted, line)
    order = ordering.move(shop.counter, placed.order, "accept", "begin_making", "ready", at=LATER)
    assert [(use.voucher_id, quoted.priced.due_fen) for use in quoted.priced.uses] == [(card.id, 0)]
    assert (quoted.priced.lines[0].unit_fen, quoted.priced.lines[0].name) == (1_900, "绿妍")
    settling.settle_uses(at=NOW + timedelta(days=1))

    assert StockReservation.objects.get(source_id=order.id).product == tea, "stock is the substitute's"
    assert consuming.consume(at=LATER).lines == 1
    assert StockLevel.objects.get(product=milk).on_hand == 900
    settled = Settlement.objects.get()
    assert settled.paid_fen == card.use_amounts_fen[0], "the use's amount, as for the drink"
    books = Books(shop.counter.brand.id, None)
    day = settled.booked_date
    [shown] = statement_files.lines(books=books, since=day, until=day + timedelta(days=1))
    [listed] = statement_lines.lines_of_day(books=books, store_id=shop.store.id, day=day)
    assert listed.substituted == f"{shop.drink.name}→绿妍"
    assert dict(zip(statement_files.HEADINGS, shown, strict=True))["商品替代"] == f"原{listed.substituted}"
    chosen = Substitution.objects.values_list("source_kind", "product_id", "substitute_id", "by_kind", "by_id")
    who = (shop.drink.id, tea.id, "customer", shop.customer.id)
    assert sorted(chosen) == [("redemption", *who), ("store_order", *who)]
    trail = AuditEntry.objects.get(act="store_order.placed")
    assert trail.details["substitutes"] == [[shop.drink.public_id, tea.public_id]]


def test_what_is_paid_in_cash_costs_the_originals_price_and_is_logged_once(shop: Shop) -> None:
    tea = other(shop, price_fen=1_500)
    sell_out(shop, shop.drink)
    line = instead(shop, tea, 2)

    placed = shop.order(shop.quote(line), line)
    paid = ordering.pay(placed)

    assert (paid.due_fen, paid.status) == (3_800, StoreOrder.Status.CONFIRMED)
    assert Substitution.objects.get().source_id == paid.id


def test_a_voucher_held_until_the_rest_is_paid_names_both_as_well(shop: Shop) -> None:
    tea = other(shop)
    sell_out(shop, shop.drink)
    shop.voucher(face_value_fen=1_000)
    line = instead(shop, tea)

    placed = shop.order(shop.quote(line), line)
    assert Substitution.objects.count() == 1
    ordering.pay(placed)

    assert set(Substitution.objects.values_list("source_kind", flat=True)) == {"store_order", "redemption"}


def test_only_what_is_offered_stands_in_and_only_while_it_is_needed(shop: Shop) -> None:
    now = datetime.now(UTC)
    her = as_customer(shop.customer)
    tea, dear = other(shop), other(shop, price_fen=5_000)

    def quoted(**line: Any) -> Any:
        body = {"lines": [{"product": tea.public_id, "quantity": 1, "instead_of": shop.drink.public_id, **line}]}
        return post(f"stores/{shop.store.public_id}/quotes", her, body)

    assert error_of(quoted()) == (409, "substitute_not_needed")
    rule = StockRule(stocked.StockMode.COUNTED, on_hand=1)
    stock_keeping.keep(store_id=shop.store.id, product_id=shop.drink.id, rule=rule, by=stocked.MANAGER, at=now)
    assert error_of(quoted()) == (409, "substitute_not_needed"), "one is left"
    assert quoted(quantity=2).json()["lines"][0]["instead_of"] == shop.drink.public_id
    sell_out(shop, shop.drink)
    assert error_of(quoted(product=dear.public_id)) == (409, "substitute_not_offered")
    assert error_of(quoted(instead_of=factories.product(factories.brand()).public_id)) == (404, "product_not_found")
    assert error_of(quoted(instead_of="prd_x")) == (404, "malformed_id")
    shown = quoted().json()
    body = {"lines": [{"product": tea.public_id, "quantity": 1, "instead_of": shop.drink.public_id}]}
    placed = post(f"stores/{shop.store.public_id}/orders", her, {**body, "due_fen": shown["due_fen"]})
    assert placed.json()["lines"][0]["instead_of_name"] == shop.drink.name
    assert StoreOrderLine.objects.get().product == tea
