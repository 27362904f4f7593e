"""Why a voucher stays in the wallet, and what the customer may ask for herself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from vouchers.plan import best_plan
from vouchers.plan.model import Choice, Item, Kind, LeftOut, Line, Plan, Refusal, Scope, Terms, Use, Voucher

TEA = Line("1", "tea", "drinks", 2_000, 2)
CAKE = Line("2", "cake", "food", 1_500, 1)
FOOD = Scope(everything=False, categories=frozenset({"food"}))
NOTHING_HERE = Scope(everything=False, products=frozenset({"coffee"}))
ONE_TEA = (Choice(1, (Item(Scope(everything=False, products=frozenset({"tea"}))),)),)


def cash(name: str, face_fen: int, refund_fen: int = 0, **terms: Any) -> Voucher:
    return voucher(
        name, Terms(f"t-{name}", terms.pop("deal", f"d-{name}"), Kind.CASH, face_fen=face_fen, **terms), refund_fen
    )


def voucher(name: str, terms: Terms, *refunds: int, refusal: Refusal | None = None) -> Voucher:
    uses = tuple(Use(serial, fen) for serial, fen in enumerate(refunds, 1))
    return Voucher(name, terms, uses, datetime(2026, 12, 1, tzinfo=UTC), is_prepaid=any(refunds), refusal=refusal)


def plan(*vouchers: Voucher, **wishes: Any) -> Plan:
    return best_plan(lines=[TEA, CAKE], vouchers=vouchers, **wishes)


def reason(name: str, of: Plan) -> LeftOut:
    return next(left for left in of.left_out if left.voucher_id == name)


def test_a_refusal_of_the_verdict_is_told_as_it_came() -> None:
    terms = Terms("t", "d", Kind.CASH, face_fen=500)
    left = reason("a", plan(voucher("a", terms, 0, refusal=Refusal("voucher_held", {"until": "12:30"}))))

    assert (left.code, left.details) == ("voucher_held", {"until": "12:30"})


def test_a_threshold_tells_what_is_missing() -> None:
    left = reason("a", plan(cash("a", 500, min_spend_fen=6_000)))

    assert left.code == "min_spend_not_reached"
    assert left.details["missing_fen"] == 500
    assert left.saves_fen == 500


def test_a_threshold_reads_what_packages_and_cards_leave() -> None:
    card = voucher("card", Terms("t0", "d0", Kind.TIMES_CARD, choices=ONE_TEA), 0, 0)
    left = reason("a", plan(card, cash("a", 500, min_spend_fen=3_000)))

    assert left.details["missing_fen"] == 1_500


def test_a_voucher_for_other_products_finds_no_item() -> None:
    assert reason("a", plan(cash("a", 500, scope=NOTHING_HERE))).code == "no_eligible_item"
    card = voucher("card", Terms("t", "d", Kind.TIMES_CARD, choices=(Choice(1, (Item(NOTHING_HERE),)),)), 0)
    assert reason("card", plan(card)).code == "no_eligible_item"


def test_a_package_tells_what_is_missing_for_it() -> None:
    choices = (*ONE_TEA, Choice(1, (Item(NOTHING_HERE, count=2),)))
    left = reason("p", plan(voucher("p", Terms("t", "d", Kind.PACKAGE, choices=choices), 1_000)))

    assert left.code == "package_incomplete"
    assert left.details == {"missing": [["coffee"]], "counts": [2]}


def test_two_stacking_groups_do_not_combine() -> None:
    left = reason("a", plan(cash("a", 500, stacking_group="spring"), cash("b", 800, stacking_group="member")))

    assert left.code == "vouchers_do_not_combine"
    assert left.details == {"stacking_group": "spring", "used_group": "member"}


def test_more_of_one_deal_than_an_order_takes() -> None:
    terms = Terms("t", "d", Kind.CASH, face_fen=500, max_per_order=1)
    left = reason("b", plan(voucher("a", terms, 0), voucher("b", terms, 0)))

    assert left.code == "too_many_of_one_deal"
    assert left.details == {"max_per_order": 1}


def test_a_voucher_that_would_burn_more_than_it_saves_is_kept_with_the_comparison() -> None:
    left = reason("a", plan(cash("a", 5_000, 4_000, scope=FOOD)))

    assert left.code == "not_worth_it"
    assert left.details == {"due_fen": 5_500, "due_with_it_fen": 4_000, "refund_fen": 4_000}
    assert left.saves_fen == 0


def test_a_package_that_costs_more_than_its_cups_is_not_worth_it() -> None:
    left = reason("p", plan(voucher("p", Terms("t", "d", Kind.PACKAGE, choices=ONE_TEA), 2_100)))

    assert left.code == "not_worth_it"
    assert left.details["refund_fen"] == 2_100


def test_when_all_is_paid_for_nothing_is_left_to_pay() -> None:
    left = reason("b", plan(cash("a", 9_000), cash("b", 500, 400)))

    assert left.code == "nothing_left_to_pay"


def test_an_excluded_voucher_stays_whatever_it_would_save() -> None:
    of = plan(cash("a", 500), excluded={"a"})

    assert of.due_fen == 5_500
    assert reason("a", of).code == "excluded_by_customer"


def test_a_forced_voucher_is_used_though_it_costs() -> None:
    of = plan(cash("a", 5_000, 4_000, scope=FOOD), forced={"a"})

    assert of.objective.forced_left_out == 0
    assert (of.objective.cost_fen, of.due_fen, of.refund_fen) == (8_000, 4_000, 4_000)


def test_a_forced_voucher_that_cannot_be_used_is_told_with_its_reason() -> None:
    of = plan(cash("a", 500, min_spend_fen=6_000), cash("b", 300), forced={"a"})

    assert of.objective.forced_left_out == 1
    assert of.due_fen == 5_200
    assert reason("a", of).code == "min_spend_not_reached"


def test_forcing_a_voucher_keeps_another_group_out() -> None:
    of = plan(cash("a", 500, stacking_group="spring"), cash("b", 800, stacking_group="member"), forced={"a"})

    assert of.due_fen == 5_000
    assert reason("b", of).code == "vouchers_do_not_combine"


@pytest.mark.parametrize(
    "broken", [[TEA, TEA], [Line("1", "tea", "drinks", 2_000, 0)], [Line("1", "tea", "drinks", -1, 1)]]
)
def test_a_cart_that_no_caller_may_send_is_an_assertion(broken: list[Line]) -> None:
    with pytest.raises(AssertionError):
        best_plan(lines=broken, vouchers=[])
