"""quoting says what a cart costs; checkout places exactly that, or says what has changed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.errors import DomainError, IdempotencyConflict
from orders.errors import PlanChanged
from orders.models import StoreOrder
from orders.services import checkout, quoting, using
from orders.services.placing import Placed
from orders.services.quoting import CartLine, Quote
from stores.models import Customer, Product, Store, StoreOption
from tests import factories
from tests.factories import NOW
from tests.stores import stocked
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_customer, as_staff, error_of, get, post
from vouchers.models import Voucher
from vouchers.queries import frozen_terms
from vouchers.services.expiry import expire_due
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db(transaction=True)


class Shop:
    """A store with one drink in two sizes, and a customer."""

    def __init__(self) -> None:
        self.counter: Counter = counters.counter()
        self.store: Store = self.counter.store
        self.customer: Customer = factories.customer(self.counter.brand)
        self.drink: Product = factories.product(self.counter.brand)
        self.size = factories.option_group(self.counter.brand, self.drink)
        self.large = self.size.options.get(name="大杯")

    def voucher(self, kind: str = "cash", *, paid_fen: int = 990, bought_at: datetime = NOW, **terms: Any) -> Voucher:
        made = self.counter.terms(kind=kind, **terms)
        return self.counter.voucher(made, customer=self.customer, paid_fen=paid_fen, bought_at=bought_at)

    def quote(self, *lines: CartLine, at: datetime = NOW, **named: Any) -> Quote:
        return quoting.quote(
            store_id=self.store.id,
            brand_id=self.counter.brand.id,
            customer_id=self.customer.id,
            lines=lines or (self.line(),),
            at=at,
            **named,
        )

    def line(self, quantity: int = 1, *options: UUID) -> CartLine:
        return CartLine(self.drink.id, options, quantity)

    def order(self, quoted: Quote, *lines: CartLine, at: datetime = NOW, **named: Any) -> Placed:
        plain: dict[str, Any] = {
            "store_id": self.store.id,
            "brand_id": self.counter.brand.id,
            "customer_id": self.customer.id,
            "lines": lines or (self.line(),),
            "uses": [(use.voucher_id, use.serial) for use in quoted.priced.uses],
            "due_fen": quoted.priced.due_fen,
            "provider": "sandbox",
            "request_id": uuid4(),
        }
        return checkout.place_order(at=at, **{**plain, **named})


@pytest.fixture
def shop() -> Shop:
    return Shop()


# --- quotes -----------------------------------------------------------------------------------------


def test_a_quote_applies_what_pays_most_and_says_why_the_rest_stays(shop: Shop) -> None:
    cash = shop.voucher()
    dear = shop.voucher(min_spend_fen=5_000)

    found = shop.quote(shop.line(2))

    assert (found.priced.total_fen, found.priced.off_fen, found.priced.due_fen) == (3_800, 2_000, 1_800)
    assert [use.voucher_id for use in found.priced.uses] == [cash.id]
    [left] = found.plan.left_out
    assert (left.voucher_id, left.code, found.plan.optimal) == (dear.public_id, "min_spend_not_reached", True)


def test_a_card_pays_for_cups_and_what_is_added_stays_on_the_bill(shop: Shop) -> None:
    card = shop.voucher("times_card", paid_fen=3_000)

    found = shop.quote(shop.line(2, shop.large.id))

    assert [(use.voucher_id, sum(use.off_lines.values())) for use in found.priced.uses] == [(card.id, 1_900)] * 2
    assert found.priced.due_fen == 2 * 500, "the larger size is paid on top"


def test_a_package_pays_for_the_product_it_names_with_the_options_it_includes(shop: Shop) -> None:
    included = {shop.size.public_id: [shop.large.public_id]}
    group = {
        "name": "饮品",
        "choose": 1,
        "items": [{"product": shop.drink.public_id, "count": 1, "options": included}],
    }
    shop.voucher("package", package_groups=[group])
    other = factories.product(shop.counter.brand)

    found = shop.quote(shop.line(1, shop.large.id), CartLine(other.id, (), 1))

    assert [line.due_fen for line in found.priced.lines] == [0, 1_900]


def test_a_dearer_store_is_paid_on_top_where_the_terms_say_so(shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(is_dearer=True)
    shop.drink.store_products.create(store=shop.store, price_fen=2_600)
    shop.voucher("times_card", dearer_stores="pay_difference", paid_fen=1_000)

    assert shop.quote().priced.due_fen == 700


def test_she_may_force_a_voucher_or_keep_it(shop: Shop) -> None:
    bought, given = shop.voucher(paid_fen=1_900), shop.voucher(paid_fen=0)

    forced = shop.quote(forced=[bought.id], excluded=[given.id])
    none = shop.quote(excluded=[bought.id, given.id])

    assert [use.voucher_id for use in forced.priced.uses] == [bought.id]
    assert none.priced.uses == ()


def test_a_held_a_foreign_and_an_ended_voucher_are_not_in_it(shop: Shop) -> None:
    held = shop.voucher()
    shop.order(shop.quote(shop.line(2)), shop.line(2))
    used = shop.voucher()
    shop.counter.redeem(used.code)
    shop.counter.voucher()

    found = shop.quote()

    assert found.priced.uses == ()
    assert [(one.voucher_id, one.code) for one in found.plan.left_out] == [(held.public_id, "voucher_held")]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda s: Store.objects.filter(pk=s.store.pk).update(status="paused"), "store_paused"),
        (lambda s: Store.objects.filter(pk=s.store.pk).update(status="closed", closed_at=NOW), "store_closed_for_good"),
        (lambda s: Store.objects.filter(pk=s.store.pk).update(hours={"1": [["20:00", "22:00"]]}), "store_shut"),
        (lambda s: stocked.keep(s.store, "counted", product=s.drink, units=0), "product_sold_out"),
        (lambda s: StoreOption.objects.create(store=s.store, option=s.large, sold_out_at=NOW), "product_sold_out"),
        (lambda s: Product.objects.filter(pk=s.drink.pk).update(is_sold=False), "product_not_found"),
        (lambda s: s.size.options.update(is_default=False), "ok"),
    ],
)
def test_a_quote_is_truthful(shop: Shop, spoil: Any, code: str) -> None:
    spoil(shop)

    if code == "ok":
        assert shop.quote(shop.line(1, shop.large.id)).priced.due_fen == 2_400
        with pytest.raises(DomainError) as refusal:
            shop.quote(shop.line())
        assert refusal.value.code == "options_do_not_fit", "a required answer is missing"
        return
    with pytest.raises(DomainError) as refusal:
        shop.quote(shop.line(1, shop.large.id))
    assert refusal.value.code == code


@pytest.mark.parametrize("mode", ["counted", "daily_limit"])
def test_a_quote_counts_all_lines_of_a_product_as_checkout_reserves_them(shop: Shop, mode: str) -> None:
    stocked.keep(shop.store, mode, product=shop.drink, units=3)

    assert shop.quote(shop.line(2), shop.line(1, shop.large.id)).priced.total_fen == 6_200
    with pytest.raises(DomainError) as refusal:
        shop.quote(shop.line(2), shop.line(2, shop.large.id))

    assert refusal.value.code == "product_sold_out"


@pytest.mark.parametrize("quantity", [0, -1, 100, 2**63])
def test_a_line_is_1_to_99(shop: Shop, quantity: int) -> None:
    with pytest.raises(DomainError) as refusal:
        shop.quote(shop.line(quantity))

    assert refusal.value.code == "cart_too_large"


# --- checkout ---------------------------------------------------------------------------------------


def test_an_order_is_what_was_quoted(shop: Shop) -> None:
    voucher = shop.voucher()
    quoted = shop.quote(shop.line(2))

    placed = shop.order(quoted, shop.line(2))

    assert (placed.order.status, placed.order.due_fen, placed.order.off_fen) == ("placed", 1_800, 2_000)
    assert [(one.voucher_id, one.off_fen) for one in placed.order.applied.all()] == [(voucher.id, 2_000)]


def test_an_order_that_vouchers_pay_for_is_confirmed_at_once(shop: Shop) -> None:
    shop.voucher()

    placed = shop.order(shop.quote())

    assert (placed.order.status, placed.order.pickup_number, placed.payment) == ("confirmed", 100, None)


def test_the_last_use_of_a_card_whose_others_expired_leaves_it_expired(shop: Shop) -> None:
    card = shop.voucher("times_card", paid_fen=3_000)
    over = card.valid_until
    [use] = shop.counter.redeem(card.code, at=over - timedelta(minutes=1)).uses
    assert expire_due(limit=10, at=over + timedelta(minutes=5)) == 1
    reverse(
        redemption_id=use.redemption_id,
        operator=shop.counter.clerk,
        request_id=uuid4(),
        at=over + timedelta(minutes=30),
    )
    noon = over + timedelta(hours=12)

    placed = shop.order(shop.quote(at=noon), at=noon)

    card.refresh_from_db()
    assert (placed.order.status, card.uses_left, card.status) == ("confirmed", 0, "expired")


def test_a_repeat_finds_the_same_order_and_other_content_is_refused(shop: Shop) -> None:
    shop.voucher()
    quoted, key = shop.quote(), uuid4()

    first, again = shop.order(quoted, request_id=key), shop.order(quoted, request_id=key)

    assert (again.order.id, again.is_repeat) == (first.order.id, True)
    with pytest.raises(IdempotencyConflict):
        shop.order(quoted, shop.line(2), request_id=key)
    assert StoreOrder.objects.count() == 1


def test_a_better_plan_does_not_disturb_an_order(shop: Shop) -> None:
    shop.voucher(face_value_fen=500, paid_fen=100)
    quoted = shop.quote()
    shop.voucher(face_value_fen=1_900)

    assert shop.order(quoted).order.due_fen == quoted.priced.due_fen == 1_400


def test_another_price_is_answered_with_a_fresh_plan(shop: Shop) -> None:
    shop.voucher()
    quoted = shop.quote(shop.line(2))
    shop.drink.store_products.create(store=shop.store, price_fen=2_100)

    with pytest.raises(PlanChanged) as refusal:
        shop.order(quoted, shop.line(2))

    assert refusal.value.details["due_fen"] == 2_200
    assert not StoreOrder.objects.exists()


def test_a_use_that_has_gone_is_answered_with_a_fresh_plan(shop: Shop) -> None:
    voucher = shop.voucher()
    quoted = shop.quote(shop.line(2))
    shop.counter.redeem(voucher.code)

    with pytest.raises(PlanChanged) as refusal:
        shop.order(quoted, shop.line(2))

    assert refusal.value.details["due_fen"] == 3_800


def test_a_forged_plan_is_not_had(shop: Shop) -> None:
    mine, theirs = shop.voucher(), shop.counter.voucher()
    quoted = shop.quote(shop.line(2))
    forged: list[tuple[dict[str, Any], str]] = [
        ({"due_fen": 0}, "plan_changed"),
        ({"uses": [(theirs.id, 1)]}, "voucher_not_found"),
        ({"uses": [(mine.id, 1), (mine.id, 1)]}, "voucher_named_twice"),
        ({"uses": [(mine.id, 2)]}, "plan_changed"),
        ({"uses": [(uuid4(), 1)]}, "voucher_not_found"),
        ({"provider": "nobody"}, "provider_not_found"),
    ]

    for named, code in forged:
        with pytest.raises(DomainError) as refusal:
            shop.order(quoted, shop.line(2), **named)
        assert refusal.value.code == code, named

    assert not StoreOrder.objects.exists()


# --- over HTTP --------------------------------------------------------------------------------------


def today(shop: Shop, **fields: Any) -> Voucher:
    return shop.voucher(bought_at=datetime.now(UTC) - timedelta(minutes=1), **fields)


def statements_of_a_checkout(shop: Shop, quantity: int, *uses: Voucher, due_fen: int) -> int:
    """Those of the whole request, sign-in included."""
    body = {
        "lines": [{"product": shop.drink.public_id, "quantity": quantity}],
        "uses": [{"voucher": voucher.public_id, "serial": 1} for voucher in uses],
        "due_fen": due_fen,
    }
    with CaptureQueriesContext(connection) as asked:
        answer = post(f"stores/{shop.store.public_id}/orders", as_customer(shop.customer), body)
    assert answer.status_code == 201, answer.json()
    return sum(query["sql"] not in ("BEGIN", "COMMIT") for query in asked.captured_queries)


def test_a_checkout_takes_fourteen_statements_at_most(shop: Shop) -> None:
    terms = shop.counter.terms()
    first, *more = (shop.counter.voucher(terms, customer=shop.customer, bought_at=datetime.now(UTC)) for _ in range(4))
    stocked.keep(shop.store, "counted", product=shop.drink)
    frozen_terms.forget()

    assert statements_of_a_checkout(shop, 1, first, due_fen=0) == 18, (
        "a process that meets the terms for the first time, and the brand's accounts, which are opened now"
    )
    assert statements_of_a_checkout(shop, 1, more[0], due_fen=0) == 14, "confirmed at once"
    assert statements_of_a_checkout(shop, 3, *more[1:], due_fen=1_700) == 14, "placed, and to be paid"


def test_from_voucher_to_pick_up_number(shop: Shop) -> None:
    today(shop)
    her = as_customer(shop.customer)
    address = f"stores/{shop.store.public_id}"
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 1}]}

    quoted = post(f"{address}/quotes", her, cart).json()
    uses = [{"voucher": use["voucher"], "serial": use["serial"]} for use in quoted["uses"]]
    placed = post(f"{address}/orders", her, {**cart, "uses": uses, "due_fen": quoted["due_fen"]})

    assert placed.status_code == 201
    order = placed.json()
    assert (order["status"], order["pickup_number"], order["payment"]) == ("confirmed", 100, None)
    clerk = as_staff(shop.counter.clerk)
    assert [one["id"] for one in get(f"{address}/orders/board", clerk).json()["items"]] == [order["id"]]
    assert post(f"{address}/orders/{order['id']}/accept", clerk).json()["status"] == "accepted"
    assert error_of(post(f"{address}/orders/{order['id']}/making", clerk)) == (409, "order_may_still_be_cancelled")
    assert get(f"orders/{order['id']}", her).json()["status"] == "accepted"
    assert post(f"orders/{order['id']}/cancel", her).json()["status"] == "cancelled"
    assert error_of(post(f"{address}/orders/{order['id']}/reject", clerk, {"reason": "停电"})) == (
        409,
        "order_moved_on",
    )


def test_a_changed_plan_comes_with_the_new_one(shop: Shop) -> None:
    today(shop)
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 2}]}

    answer = post(f"stores/{shop.store.public_id}/orders", as_customer(shop.customer), {**cart, "due_fen": 1})

    assert error_of(answer) == (409, "plan_changed")
    assert answer.json()["error"]["details"]["plan"]["due_fen"] == 1_800


def test_what_is_due_is_paid_with_the_parameters_of_the_answer(shop: Shop) -> None:
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 1}], "due_fen": 1_900}

    answer = post(f"stores/{shop.store.public_id}/orders", as_customer(shop.customer), cart).json()

    assert (answer["status"], answer["payment"]["amount_fen"], answer["payment"]["status"]) == (
        "placed",
        1_900,
        "created",
    )
    assert answer["payment"]["parameters"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": []}, 422, "cart_too_large"),
        ({"lines": [{"product": "prd_" + "0" * 32, "quantity": 1}] * 10_000}, 422, "cart_too_large"),
        ({"lines": [{"product": "prd_" + "0" * 32, "quantity": 1}]}, 404, "product_not_found"),
        ({"lines": [{"product": "x", "quantity": 1}]}, 404, "malformed_id"),
        ({"lines": [{"product": "prd_" + "0" * 32, "quantity": 2**63}]}, 422, "cart_too_large"),
        ({"lines": [{"product": "prd_" + "0" * 32, "quantity": 0}]}, 422, "cart_too_large"),
        ({"lines": [{"product": "prd_" + "0" * 32, "quantity": "many"}]}, 422, "malformed_request"),
    ],
)
def test_a_bad_cart_has_a_stable_code(shop: Shop, body: dict[str, Any], status: int, code: str) -> None:
    answer = post(f"stores/{shop.store.public_id}/quotes", as_customer(shop.customer), body)

    assert error_of(answer) == (status, code)


PLAN: dict[str, Any] = {"uses": [], "due_fen": 1_900}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": []}, 422, "cart_too_large"),
        ({"lines": "all"}, 422, "cart_too_large"),
        ({"lines": "all", "quantity": 2**63}, 422, "cart_too_large"),
        ({"lines": "one", "quantity": 0}, 422, "cart_too_large"),
        ({"lines": "one", "options": ["opt_" + "0" * 32]}, 404, "option_not_found"),
        ({"lines": "one", "options": ["large", "medium"]}, 422, "options_do_not_fit"),
        ({"lines": "one", "due_fen": 1_899}, 409, "plan_changed"),
        ({"lines": "one", "due_fen": 2**63}, 422, "malformed_request"),
        ({"lines": "one", "due_fen": -1}, 422, "malformed_request"),
        ({"lines": "one", "uses": [{"voucher": "vch_" + "0" * 32, "serial": 1}]}, 404, "voucher_not_found"),
        ({"lines": "one", "uses": [{"voucher": "vch_" + "0" * 32, "serial": 2**63}]}, 422, "malformed_request"),
        ({"lines": "one", "uses": [{"voucher": "vch_" + "0" * 32, "serial": 1}] * 101}, 422, "malformed_request"),
        ({"lines": "one", "provider": "nobody"}, 422, "malformed_request"),
        ({"lines": "one", "pick_up_at": "noon"}, 422, "malformed_request"),
        ({"lines": "one", "pick_up_at": "2026-06-01T12:00:00"}, 422, "malformed_request"),
        ({"lines": "one", "pick_up_at": "2026-06-01T04:00:00Z"}, 422, "slot_not_offered"),
        ({"lines": "one", "pick_up_at": "9999-12-31T23:59:59Z"}, 422, "slot_not_offered"),
        ({"lines": "one", "discount_fen": 1_900}, 422, "unknown_parameter"),
    ],
)
def test_a_bad_order_has_a_stable_code(shop: Shop, body: dict[str, Any], status: int, code: str) -> None:
    body = dict(body)
    named = {"large": shop.large.public_id, "medium": shop.size.options.get(name="中杯").public_id}
    line: dict[str, Any] = {"product": shop.drink.public_id, "quantity": body.pop("quantity", 1)}
    if options := body.pop("options", None):
        line["options"] = [named.get(option, option) for option in options]
    lines = {"one": [line], "all": [line] * 10_000}.get(body["lines"] or "none", [])

    answer = post(f"stores/{shop.store.public_id}/orders", as_customer(shop.customer), {**PLAN, **body, "lines": lines})

    assert error_of(answer) == (status, code)
    assert not StoreOrder.objects.exists()


def test_an_order_is_nobody_elses(shop: Shop) -> None:
    placed = shop.order(shop.quote(), at=NOW)
    stranger = as_customer(factories.customer(shop.counter.brand))
    clerk = as_staff(factories.staff(factories.brand(), role="owner").user)
    order = placed.order.public_id

    assert error_of(get(f"orders/{order}", stranger)) == (404, "store_order_not_found")
    assert error_of(post(f"orders/{order}/cancel", stranger)) == (404, "store_order_not_found")
    assert error_of(get(f"stores/{shop.store.public_id}/orders/board", clerk)) == (404, "store_not_found")
    assert get("orders", stranger).json()["items"] == []


def test_it_is_used_at_the_nearest_store_that_takes_it_now(shop: Shop) -> None:
    voucher, her = today(shop), as_customer(shop.customer)
    Store.objects.filter(pk=shop.store.pk).update(latitude="30.3", longitude="120.2", name="远一点")
    shut = factories.store(shop.counter.brand, latitude="30.2", longitude="120.2", status="paused")
    address, near = f"vouchers/{voucher.public_id}/use", {"latitude": 30.2, "longitude": 120.2}

    assert post(address, her, near).json()["name"] == "远一点"
    Store.objects.filter(pk=shut.pk).update(status="open")
    assert post(address, her, near).json()["store"] == shut.public_id
    Product.objects.update(is_sold=False)
    assert error_of(post(address, her, near)) == (409, "no_store_takes_it_now")
    assert error_of(post(address, as_customer(factories.customer(shop.counter.brand)), near)) == (
        404,
        "voucher_not_found",
    )


def test_looking_at_more_stores_costs_no_more_statements(shop: Shop) -> None:
    voucher, at = today(shop), datetime.now(UTC)
    here = {"latitude": 30.2, "longitude": 120.2}
    asked = {"voucher_id": voucher.id, "customer_id": shop.customer.id, **here, "at": at}
    Store.objects.filter(pk=shop.store.pk).update(latitude="30.3", longitude="120.2")
    using.use_now(**asked)
    with CaptureQueriesContext(connection) as alone:
        using.use_now(**asked)
    for _ in range(5):
        factories.store(shop.counter.brand, **here, hours={str(at.isoweekday() % 7 + 1): [["10:00", "11:00"]]})

    with CaptureQueriesContext(connection) as among_shut_ones:
        assert using.use_now(**asked).near.store == shop.store

    assert len(among_shut_ones) == len(alone)


@pytest.mark.parametrize("latitude", ["nan", "inf", 91])
def test_nowhere_is_no_place(shop: Shop, latitude: Any) -> None:
    place = {"latitude": latitude, "longitude": 120.2}

    answer = post(f"vouchers/{today(shop).public_id}/use", as_customer(shop.customer), place)

    assert error_of(answer) == (422, "malformed_request")


def test_a_package_begins_with_what_it_holds(shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(latitude="30.2", longitude="120.2")
    included = {shop.size.public_id: [shop.large.public_id]}
    item = {"product": shop.drink.public_id, "count": 2, "options": included}
    voucher = today(shop, kind="package", package_groups=[{"name": "饮品", "choose": 1, "items": [item]}])

    begun = post(
        f"vouchers/{voucher.public_id}/use", as_customer(shop.customer), {"latitude": 30.2, "longitude": 120.2}
    ).json()

    assert begun["lines"] == [
        {"product": shop.drink.public_id, "options": [shop.large.public_id], "quantity": 2},
    ]
