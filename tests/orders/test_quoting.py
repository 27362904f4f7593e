"""quoting: why vouchers stay in the wallet, in words, and what each would take."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import StoreOrder
from orders.services import quoting
from orders.services.quoting import CartLine
from stores.models import Region, Store, StoreGroup
from tests import factories
from tests.factories import NOW
from tests.orders.test_checkout import Shop
from tests.vouchers.http import as_customer, error_of, post
from tests.vouchers.test_amendments import amend
from vouchers.models import DealTerms
from vouchers.plan import best_plan
from vouchers.plan import model as plan
from vouchers.queries import frozen_terms, plannable, whereabouts
from vouchers.queries.left_out import Said

pytestmark = pytest.mark.django_db(transaction=True)


def one_drink(shop: Shop) -> dict[str, Any]:
    return {"lines": [{"product": shop.drink.public_id, "quantity": 1}]}


@pytest.fixture
def shop() -> Shop:
    return Shop()


def why(shop: Shop, *lines: CartLine, **named: Any) -> Said:
    [said] = shop.quote(*lines, **named).not_used
    return said


def package_of(shop: Shop, *names: str) -> dict[str, Any]:
    products = [factories.product(shop.counter.brand, name=name) for name in names]
    items = [{"product": product.public_id, "count": 1} for product in products]
    return {"package_groups": [{"name": "饮品", "choose": 1, "items": [item]} for item in items]}


def test_what_is_missing_to_its_minimum_is_said(shop: Shop) -> None:
    shop.voucher(min_spend_fen=5_000)

    said = why(shop, shop.line(2))

    assert (said.left.code, said.details["missing_fen"]) == ("min_spend_not_reached", 1_200)
    assert said.zh == "还差 ¥12.00。消费金额未满使用门槛：" + said.details["rule_zh"]
    assert said.en.startswith("¥12.00 more.")


def test_what_a_package_lacks_is_named(shop: Shop) -> None:
    shop.voucher("package", **package_of(shop, "葡萄冻冻", "草莓茶"))

    said = why(shop)

    assert said.left.code == "package_incomplete"
    assert said.zh == "还差 葡萄冻冻 × 1、草莓茶 × 1 就能用这张券"


def test_the_wrong_store_names_the_nearest_that_takes_it(shop: Shop) -> None:
    right = factories.store(shop.counter.brand, name="西湖店", latitude="30.21", longitude="120.2")
    Store.objects.filter(pk=shop.store.pk).update(latitude="30.2", longitude="120.2")
    shop.voucher(store_scope={"stores": [right.public_id]})

    said = why(shop)

    assert said.left.code == "wrong_store"
    assert [(near["name"], near["distance_metres"]) for near in said.details["nearest"]] == [("西湖店", 1_112)]
    assert "西湖店" in said.zh
    assert "position" not in said.details


def test_a_refund_worth_more_is_kept_and_compared(shop: Shop) -> None:
    shop.voucher(face_value_fen=2_000, paid_fen=1_950)

    said = why(shop, shop.line())

    assert said.left.code == "not_worth_it"
    assert said.zh == "不用更划算，用上它还要付 ¥0.00，留着还能退 ¥19.50"
    assert (
        said.en == "Keeping it is the better deal: with it you would pay ¥0.00, and its refund of ¥19.50 would be gone."
    )


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ({"weekdays": [7]}, "voucher_not_usable_now"),
        ({"blackout_dates": ["2026-06-01"]}, "voucher_not_usable_now"),
    ],
)
def test_the_hour_is_refused_in_the_counters_words(shop: Shop, spoil: dict[str, Any], code: str) -> None:
    shop.voucher(**spoil)

    said = why(shop)

    assert (said.left.code, said.zh) == (code, f"现在不能用这张券：{said.details['rule_zh']}")


def test_of_one_deal_no_more_than_its_terms_say(shop: Shop) -> None:
    made = shop.counter.terms(max_per_order=1, face_value_fen=500)
    for _ in range(2):
        shop.counter.voucher(made, customer=shop.customer, paid_fen=0)

    said = why(shop, shop.line(2))

    assert said.left.code == "too_many_of_one_deal"
    assert said.details["rule_zh"] in said.zh


def test_a_held_voucher_and_one_she_keeps_say_so(shop: Shop) -> None:
    shop.voucher()
    shop.order(shop.quote(shop.line(2)), shop.line(2))
    assert why(shop).zh == "这张券正在另一笔未付款的订单里"

    kept = shop.voucher()
    said = {one.left.code: one.en for one in shop.quote(excluded=[kept.id]).not_used}

    assert said["excluded_by_customer"] == "You chose to keep this voucher."


def statements_of(shop: Shop, *, left: int) -> int:
    """What the whole request asks of PostgreSQL, sign-in included."""
    with CaptureQueriesContext(connection) as asked:
        answer = post(f"stores/{shop.store.public_id}/quotes", as_customer(shop.customer), one_drink(shop))
    assert len(answer.json()["not_used"]) == left
    return len(asked)


def test_reasons_cost_no_statement_for_each_voucher(shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(latitude="30.2", longitude="120.2")
    bought_at = datetime.now(UTC) - timedelta(minutes=1)
    city = Region.objects.create(brand=shop.counter.brand, code="HZ", name="杭州")
    group = StoreGroup.objects.create(brand=shop.counter.brand, code="MALL", name="商场店", created_at=bought_at)
    named: list[dict[str, Any]] = [{"regions": [city.public_id]}, {"groups": [group.public_id]}]
    for number in range(4):
        shop.voucher("package", **package_of(shop, f"葡萄冻冻{number}"), bought_at=bought_at)
        shop.voucher(min_spend_fen=9_000, bought_at=bought_at)
        right = factories.store(shop.counter.brand, name=f"西湖{number}店", latitude=f"30.2{number}", longitude="120.2")
        for store_scope in ({"stores": [right.public_id]}, *named):
            shop.voucher(store_scope=store_scope, bought_at=bought_at)
    frozen_terms.terms(DealTerms.objects.values_list("id", flat=True))
    whereabouts.forget()

    assert statements_of(shop, left=20) == 5, "store, cart, slots, wallet; names and nearest stores together"
    assert statements_of(shop, left=20) == 4, "and those are kept for minutes"

    frozen_terms.forget()
    whereabouts.forget()
    assert statements_of(shop, left=20) == 6, "a process that meets all these terms for the first time"


def test_terms_that_were_amended_cost_a_new_process_one_statement_more(shop: Shop) -> None:
    terms = shop.counter.terms(min_spend_fen=9_000)
    shop.counter.voucher(terms, customer=shop.customer, bought_at=datetime.now(UTC) - timedelta(minutes=1))
    amend(terms, at=datetime.now(UTC), min_spend_fen=8_000)
    frozen_terms.forget()

    assert statements_of(shop, left=1) == 6
    assert statements_of(shop, left=1) == 4


# --- a wallet too large to weigh it all ---------------------------------------------------------------


def test_what_is_not_usable_today_hides_nothing_that_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plannable, "MOST_PLANNED", 3)
    sundays = shop.counter.terms(weekdays=[7], usable_days=7)
    for _ in range(4):
        shop.counter.voucher(sundays, customer=shop.customer)
    good = shop.voucher(paid_fen=0, usable_days=9)

    found = shop.quote()

    assert [use.voucher_id for use in found.priced.uses] == [good.id]
    assert (len(found.not_used), found.left_away, found.is_best) == (2, 0, True)


def test_no_deal_hides_another_where_not_all_are_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plannable, "MOST_READ", 3)
    early = shop.counter.terms(face_value_fen=100, usable_days=7)
    for _ in range(4):
        shop.counter.voucher(early, customer=shop.customer, paid_fen=0)
    good = shop.voucher(paid_fen=0, usable_days=9)

    found = shop.quote()

    assert good.id in [use.voucher_id for use in found.priced.uses]
    assert (found.plan.optimal, found.left_away, found.is_best) == (True, 2, False), "two were not looked at"


def test_what_is_held_over_or_not_yet_valid_leaves_the_plan_proven(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plannable, "MOST_READ", 1)
    shop.voucher(usable_days=2)
    shop.order(shop.quote(shop.line(2)), shop.line(2))
    shop.voucher(usable_days=3)
    shop.voucher(
        validity="fixed", usable_days=None, usable_from=NOW + timedelta(days=5), usable_until=NOW + timedelta(days=6)
    )
    good = shop.voucher(paid_fen=0, usable_days=9)
    at = NOW + timedelta(days=4)

    found = shop.quote(at=at)

    assert [use.voucher_id for use in found.priced.uses] == [good.id]
    assert (found.left_away, found.is_best) == (0, True)


@pytest.mark.parametrize("limit", ["MOST_READ", "MOST_PLANNED"])
def test_whatever_she_names_is_weighed(shop: Shop, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    bought_at = datetime.now(UTC) - timedelta(minutes=1)
    terms = shop.counter.terms(face_value_fen=500)
    *_, last = (shop.counter.voucher(terms, customer=shop.customer, paid_fen=0, bought_at=bought_at) for _ in range(4))
    monkeypatch.setattr(plannable, limit, 2)

    def asked(**named: Any) -> Any:
        return post(f"stores/{shop.store.public_id}/quotes", as_customer(shop.customer), one_drink(shop) | named).json()

    plain, forced, left = asked(), asked(use=[last.public_id]), asked(leave=[last.public_id])

    assert last.public_id not in [use["voucher"] for use in plain["uses"]]
    assert (plain["left_away"], plain["is_best"]) == (2, False)
    assert last.public_id in [use["voucher"] for use in forced["uses"]]
    assert [one["code"] for one in left["not_used"] if one["voucher"] == last.public_id] == ["excluded_by_customer"]


# --- over HTTP --------------------------------------------------------------------------------------


def test_a_quote_only_reads(shop: Shop) -> None:
    voucher = shop.voucher(bought_at=datetime.now(UTC) - timedelta(minutes=1))
    shop.voucher(min_spend_fen=9_000, bought_at=datetime.now(UTC) - timedelta(minutes=1))
    her, store = as_customer(shop.customer), f"stores/{shop.store.public_id}"
    order = {**one_drink(shop), "uses": [{"voucher": voucher.public_id, "serial": 1}], "due_fen": 0}
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        quoted = post(f"{store}/quotes", her, one_drink(shop) | {"use": [voucher.public_id]})
        ordered = post(f"{store}/orders", her, order)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")

    assert (quoted.status_code, quoted.json()["due_fen"], len(quoted.json()["not_used"])) == (200, 0, 1)
    assert ordered.status_code == 500, "and what writes cannot"


def test_somebody_elses_voucher_is_none(shop: Shop) -> None:
    bought_at = datetime.now(UTC) - timedelta(minutes=1)
    hers, foreign = shop.voucher(bought_at=bought_at), shop.counter.voucher(bought_at=bought_at)
    assert foreign.customer_id != shop.customer.id
    her, store = as_customer(shop.customer), f"stores/{shop.store.public_id}"

    for wish in ({"use": [foreign.public_id]}, {"leave": [hers.public_id, foreign.public_id]}):
        assert error_of(post(f"{store}/quotes", her, one_drink(shop) | wish)) == (404, "voucher_not_found")
    uses = [{"voucher": voucher.public_id, "serial": 1} for voucher in (hers, foreign)]
    for named in (uses, uses[1:]):
        order = {**one_drink(shop), "uses": named, "due_fen": 0}
        assert error_of(post(f"{store}/orders", her, order)) == (404, "voucher_not_found")

    assert not StoreOrder.objects.exists()


def test_a_voucher_named_twice_is_used_once_or_not_at_all(shop: Shop) -> None:
    voucher = shop.voucher(face_value_fen=500, bought_at=datetime.now(UTC) - timedelta(minutes=1))
    her, store = as_customer(shop.customer), f"stores/{shop.store.public_id}"
    twice = [voucher.public_id] * 2
    use = {"voucher": voucher.public_id, "serial": 1}

    forced = post(f"{store}/quotes", her, one_drink(shop) | {"use": twice}).json()
    left = post(f"{store}/quotes", her, one_drink(shop) | {"leave": twice}).json()
    ordered = post(f"{store}/orders", her, {**one_drink(shop), "uses": [use] * 2, "due_fen": 900})

    assert ([one["voucher"] for one in forced["uses"]], forced["due_fen"]) == ([voucher.public_id], 1_400)
    assert ([one["voucher"] for one in left["not_used"]], left["due_fen"]) == ([voucher.public_id], 1_900)
    assert error_of(ordered) == (422, "voucher_named_twice")
    assert not StoreOrder.objects.exists()


def test_over_http_she_forces_keeps_or_uses_none(shop: Shop) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    cheap = shop.voucher(face_value_fen=500, paid_fen=0, bought_at=now)
    dear = shop.voucher(face_value_fen=1_900, paid_fen=0, bought_at=now)
    her, address = as_customer(shop.customer), f"stores/{shop.store.public_id}/quotes"
    cart: dict[str, Any] = {"lines": [{"product": shop.drink.public_id, "quantity": 1}]}

    def used(**named: Any) -> list[str]:
        return [use["voucher"] for use in post(address, her, {**cart, **named}).json()["uses"]]

    assert used() == [dear.public_id]
    assert cheap.public_id in used(use=[cheap.public_id])
    assert used(leave=[dear.public_id]) == [cheap.public_id]
    assert used(vouchers="none") == []
    assert post(address, her, {**cart, "vouchers": "none"}).json()["due_fen"] == 1_900
    both = {**cart, "vouchers": "none", "use": [dear.public_id]}
    assert error_of(post(address, her, both)) == (422, "malformed_request")
    [left] = post(address, {**her, "Accept-Language": "en"}, cart).json()["not_used"]
    assert left["voucher"] == cheap.public_id
    assert left["message"] == "Keeping it is the better deal: with it you would pay ¥0.00."


def test_a_plan_that_a_part_of_it_beats_is_that_part_so_that_it_can_be_ordered() -> None:
    cup = plan.Line("cup", "tea", "drinks", 1_900, 2)
    card = plan.Voucher(
        "card",
        plan.Terms("t", "d", plan.Kind.TIMES_CARD, choices=(plan.Choice(1, (plan.Item(plan.Scope()),)),)),
        (plan.Use(1, 100), plan.Use(2, 5_000)),
        expires_at=NOW + timedelta(days=1),
        is_prepaid=True,
    )
    cheap = replace(card, uses=(plan.Use(1, 0), plan.Use(2, 0)))
    cut_short = replace(best_plan(lines=[cup], vouchers=[cheap]), settled=False, optimal=False)
    assert len(cut_short.applied) == 2

    found = quoting.as_ordered(cut_short, [cup], [card], forced=["card"])

    assert [(use.voucher_id, use.serial) for use in found.applied] == [("card", 1)]
    assert (found.objective.cost_fen, found.due_fen, found.objective.forced_left_out) == (2_000, 1_900, 0)
    assert not found.settled
