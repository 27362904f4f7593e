"""Two agents and two managers at once: a customer's limit is counted once, a case is decided once."""

from typing import Any

import pytest

from orders.models import AfterSaleCase, Refund
from orders.services import cases
from tests import factories
from tests.orders.test_cases import MANAGER, TOMORROW, opened, used
from tests.races.at_once import at_once
from tests.races.squeezed import squeeze
from tests.vouchers import counters

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def the_last_one_twice(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two of five uses were compensated already; two agents open a case on one of the others each."""
    counter = counters.counter()
    customer = factories.customer(counter.brand)
    uses = [used(counter, customer=customer) for _ in range(4)]
    for use in uses[:2]:
        opened(use)
    inner = squeeze(monkeypatch, cases, "_is_within_limits", lambda: opened(uses[3]))
    outer = opened(uses[2])
    return sorted([outer.status, inner.answer().status])


def test_only_one_of_two_agents_has_the_last_case_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert the_last_one_twice(monkeypatch) == ["awaiting_approval", "done"]


def test_without_the_lock_on_the_customer_both_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(cases, "_one_at_a_time", lambda customer_id: None)

    assert the_last_one_twice(monkeypatch) == ["done", "done"]


def test_two_managers_approve_one_refund() -> None:
    case = opened(used(counters.counter(), price_fen=5_000), amount_fen=4_000)

    def approve() -> Any:
        return cases.approve(case=case, by=MANAGER, at=TOMORROW)

    answers = at_once(approve, approve)

    assert [answer.status for answer in answers] == ["done", "done"]
    assert Refund.objects.count() == AfterSaleCase.objects.filter(status="done").count() == 1
