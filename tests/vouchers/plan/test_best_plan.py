"""The solver against the oracle, and what must hold of every plan."""

from dataclasses import astuple
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bench.plan_families import FAMILIES, instances
from tests.vouchers.plan.cases import Case, case_of, cases
from tests.vouchers.plan.oracle import best_levels
from vouchers.plan import best_plan
from vouchers.plan.model import Plan

# The same cases in every run, so that a red one is red for everybody.
deterministic = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ENOUGH = 100_000


def plan_of(case: Case, *, node_budget: int = ENOUGH) -> Plan:
    return best_plan(
        lines=case.lines,
        vouchers=case.vouchers,
        forced=case.forced,
        excluded=case.excluded,
        node_budget=node_budget,
    )


@settings(deterministic, max_examples=2_000)
@given(cases)
def test_no_enumeration_finds_a_better_plan_on_any_level(case: Case) -> None:
    plan = plan_of(case)

    assert astuple(plan.objective) == best_levels(case.lines, case.vouchers, case.forced, case.excluded)
    assert plan.optimal
    assert plan.settled
    assert plan.bound_fen == plan.objective.cost_fen


@pytest.mark.parametrize("seed", [94, 636, 1987, 5_650, 53_072, 12_570, 13_448, 1_230_266_480])
def test_cases_that_were_once_wrong_stay_right(seed: int) -> None:
    case = case_of(Random(seed))

    assert astuple(plan_of(case).objective) == best_levels(case.lines, case.vouchers, case.forced, case.excluded)


def test_the_random_cases_mix_kinds_and_meet_every_reason() -> None:
    mixed, codes = 0, set()
    for seed in range(600):
        case = case_of(Random(seed))
        plan = plan_of(case)
        kind = {v.id: v.terms.kind for v in case.vouchers}
        mixed += len({kind[use.voucher_id] for use in plan.applied}) > 1
        codes |= {left.code for left in plan.left_out}

    assert mixed >= 100
    assert codes == {
        "wrong_store",
        "excluded_by_customer",
        "min_spend_not_reached",
        "too_many_of_one_deal",
        "vouchers_do_not_combine",
        "no_eligible_item",
        "package_incomplete",
        "nothing_left_to_pay",
        "not_worth_it",
    }


@settings(deterministic, max_examples=200)
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_lines_and_vouchers_changes_nothing(case: Case, random: Random) -> None:
    lines, vouchers = list(case.lines), list(case.vouchers)
    random.shuffle(lines)
    random.shuffle(vouchers)

    plan, other = plan_of(case), plan_of(Case(lines, vouchers, case.forced, case.excluded))

    assert other.objective == plan.objective
    assert other.lines == plan.lines
    assert {left.voucher_id: left for left in other.left_out} == {left.voucher_id: left for left in plan.left_out}


@settings(deterministic, max_examples=200)
@given(cases)
def test_one_more_voucher_never_raises_the_true_cost(case: Case) -> None:
    whole = plan_of(Case(case.lines, case.vouchers))
    for voucher in case.vouchers:
        without = plan_of(Case(case.lines, [v for v in case.vouchers if v is not voucher]))

        assert whole.objective.cost_fen <= without.objective.cost_fen


@settings(deterministic, max_examples=300)
@given(cases)
def test_every_fen_of_every_line_is_accounted_for(case: Case) -> None:
    assert_conserved(case, plan_of(case))


def assert_conserved(case: Case, plan: Plan) -> None:
    """Every line's fen add up, units are covered once, and what is applied is what the objective counts."""
    by_id = {line.id: line for line in case.lines}
    assert {line.id for line in plan.lines} == set(by_id)
    for line in plan.lines:
        taken = sum(use.off_fen.get(line.id, 0) for use in plan.applied)
        assert line.total_fen == by_id[line.id].unit_fen * by_id[line.id].quantity
        assert line.total_fen == line.covered_fen + line.off_fen + line.due_fen
        assert line.covered_fen + line.off_fen == taken
        assert line.due_fen >= 0
        assert sum(use.units.get(line.id, 0) for use in plan.applied) <= by_id[line.id].quantity
    assert all(sum(use.off_fen.values()) > 0 for use in plan.applied)
    assert plan.due_fen == sum(line.due_fen for line in plan.lines)
    assert plan.refund_fen == sum(use.refund_fen for use in plan.applied)
    assert plan.objective.ids == tuple(sorted(use.voucher_id for use in plan.applied))
    uses = [(use.voucher_id, use.serial) for use in plan.applied]
    assert len(set(uses)) == len(uses)
    assert {use.voucher_id for use in plan.applied} | {left.voucher_id for left in plan.left_out} == {
        v.id for v in case.vouchers
    }
    assert not {use.voucher_id for use in plan.applied} & {left.voucher_id for left in plan.left_out}


@settings(deterministic, max_examples=300)
@given(cases, st.integers(0, 400))
def test_a_search_cut_short_tells_a_bound_below_the_best_and_a_plan_that_holds(case: Case, node_budget: int) -> None:
    plan, best = plan_of(case, node_budget=node_budget), plan_of(case)

    assert plan.objective.forced_left_out >= best.objective.forced_left_out
    if plan.objective.forced_left_out == best.objective.forced_left_out:
        assert plan.bound_fen <= best.objective.cost_fen <= plan.objective.cost_fen
        assert plan.optimal == (plan.bound_fen == plan.objective.cost_fen)
    assert_conserved(case, plan)


def test_a_large_wallet_is_planned_within_the_budget_and_to_the_fen() -> None:
    for family in FAMILIES:
        for lines, vouchers in instances(family, 3):
            plan = best_plan(lines=lines, vouchers=vouchers, node_budget=300)

            assert plan.bound_fen <= plan.objective.cost_fen <= sum(line.total_fen for line in plan.lines)
            assert_conserved(Case(list(lines), list(vouchers)), plan)


def test_wallets_of_a_quotes_size_are_proven() -> None:
    for family in FAMILIES.keys() - {"adversarial"}:
        for lines, vouchers in instances(family, 8, lines=6, vouchers=20):
            assert best_plan(lines=lines, vouchers=vouchers).optimal


def test_amounts_of_very_different_size_do_not_lead_the_assignment_in_a_circle() -> None:
    *_, (lines, vouchers) = instances("mixed", 49)

    plan = best_plan(lines=lines, vouchers=vouchers)

    assert plan.bound_fen <= plan.objective.cost_fen
