"""Statements, shares and participation over HTTP: finance sees all, a franchisee his own."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.accounts import tokens
from orders.models import Settlement
from stores.models import Store
from tests import factories
from tests.orders import settled
from tests.vouchers.counters import Counter

pytestmark = pytest.mark.django_db
JUNE = {"since": "2026-06-01", "until": "2026-07-01"}


def headers(user_id: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.sign_staff(user_id=user_id, at=datetime.now(UTC)).text}"}


def person(counter: Counter, role: str, **place: Any) -> dict[str, str]:
    return headers(factories.staff(counter.brand, role=role, **place).user_id)


def get(path: str, who: dict[str, str], **query: Any) -> Any:
    return Client().get(f"/api/v1/{path}", query, headers=who)


@pytest.fixture
def counter() -> Counter:
    return settled.counter()


@pytest.fixture
def line(counter: Counter) -> Settlement:
    """One use there, and one at a store of somebody else's."""
    settled.settled(settled.counter(brand=counter.brand))
    return settled.settled(counter)


def test_finance_sees_every_store_and_a_franchisee_his_own(counter: Counter, line: Settlement) -> None:
    franchisee = person(counter, "franchisee", entity=counter.entity)
    for path in ("statements", "statements/sums"):
        assert len(get(path, person(counter, "finance"), **JUNE).json()) == 2
        [own] = get(path, franchisee, **JUNE).json()
        assert (own["store"], own["entity"]) == (counter.store.public_id, counter.entity.public_id)
        assert (own["paid_fen"], own["entity_fen"], own["lines"]) == (970, 873, 1)
    assert get("statements", person(counter, "clerk", store=counter.store), **JUNE).status_code == 403


def test_a_line_names_what_it_is_traced_by(counter: Counter, line: Settlement) -> None:
    asked = {"store": counter.store.public_id, "day": "2026-06-01"}
    [told] = get("statements/lines", person(counter, "finance"), **asked).json()["items"]

    assert told["id"] == line.public_id
    assert told["redemption"] == f"red_{line.pk.hex}"
    assert told["purchase"].startswith("pur_")
    assert told["terms"].startswith("trm_")
    assert (told["rule"], told["entity_fen"], told["promoter_fen"], told["brand_fen"]) == (0, 873, 58, 19)
    assert get("statements/lines", person(counter, "finance"), **asked, page=2).status_code == 422


def test_a_month_is_closed_by_finance_and_its_statements_are_listed(counter: Counter, line: Settlement) -> None:
    finance = person(counter, "finance")

    def close(month: str, who: dict[str, str] = finance) -> Any:
        return Client().post(f"/api/v1/statements/months/{month}/close", "{}", "application/json", headers=who)

    assert close("2026-06", person(counter, "franchisee", entity=counter.entity)).status_code == 403
    assert close("2026-6x").status_code == 422
    assert close("2999-01").json()["error"]["code"] == "month_not_over"
    assert close("2026-06").json() == {"open_from": "2026-07-01"}
    closed = get("statements/closed", finance, month="2026-06").json()["items"]
    assert sorted(one["entity_fen"] for one in closed) == [873, 873]


@pytest.mark.parametrize("query", [{"since": "2026-07-01", "until": "2026-06-01"}, {"since": "x"}])
def test_a_question_that_makes_no_sense_is_refused(counter: Counter, query: dict[str, str]) -> None:
    assert get("statements", person(counter, "finance"), **{**JUNE, **query}).status_code == 422


def test_your_store_receives_so_much_for_this_cup(counter: Counter) -> None:
    terms = counter.terms(settlement_rules=settled.FEE_OF_2_PERCENT)
    manager = person(counter, "store_manager", store=counter.store)
    asked = {"terms": terms.public_id, "paid_fen": 970, "promoter_rate_bps": 600, "provider_rate_bps": 200}
    told = get(f"stores/{counter.store.public_id}/share", manager, **asked).json()

    assert (told["store_receives_fen"], told["en"]) == (873, "Your store receives ¥8.73 for this cup.")
    assert [(line["part"], line["fen"]) for line in told["lines"]] == [
        *[("paid", 970), ("share", 970), ("fee", -19)],
        *[("promoter", -58), ("provider", -20)],
    ]
    assert sum(line["fen"] for line in told["lines"] if line["part"] != "paid") == 873
    too_much = {**asked, "promoter_rate_bps": 9_900}
    assert get(f"stores/{counter.store.public_id}/share", manager, **too_much).status_code == 422


def test_a_franchisee_sees_what_he_is_asked_and_answers(counter: Counter) -> None:
    entity = factories.entity(counter.brand, kind="franchisee")
    store = factories.store(counter.brand, entity=entity)
    deal = factories.deal(counter.brand)
    owner, his = person(counter, "owner"), person(counter, "franchisee", entity=entity)
    asked = Client().post(
        f"/api/v1/deals/{deal.public_id}/participation-rounds",
        {
            "price_fen": 990,
            "settlement_rules": [{"share_bps": 9_000}],
            "answer_until": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
        },
        "application/json",
        headers={**owner, "Idempotency-Key": str(uuid4())},
    )
    assert asked.status_code == 201
    told = asked.json()
    assert (told["asked"], told["accepted"]) == (1, 1)  # the company's own store was not asked

    [question] = get(f"stores/{store.public_id}/participation", his).json()
    assert (question["status"], question["share"]["store_receives_fen"]) == ("asked", 891)
    answered = put(store, told["id"], "acceptance", his)
    assert answered.json()["status"] == "accepted"
    stores = get(f"participation-rounds/{told['id']}/stores", owner, status="accepted").json()
    assert {one["store"] for one in stores} == {store.public_id, counter.store.public_id}
    assert put(counter.store, told["id"], "refusal", owner).json()["error"]["code"] == "bound_by_contract"


def put(store: Store, round_id: str, answer: str, who: dict[str, str]) -> Any:
    return Client().put(f"/api/v1/stores/{store.public_id}/participation/{round_id}/{answer}", headers=who)


def test_what_the_brand_takes_of_cash_is_said_for_days_to_come(counter: Counter) -> None:
    def say(**fields: Any) -> Any:
        later = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
        body = {"kind": "surcharge", "from_date": later, "fee_bps": 500, **fields}
        return Client().post("/api/v1/cash-rules", body, "application/json", headers=finance)

    finance = person(counter, "finance")
    assert say().status_code == 201
    assert say().status_code == 200
    assert say(fee_bps=600).json()["error"]["code"] == "cash_rule_stands"
    assert say(from_date="2026-01-01").json()["error"]["code"] == "cash_rule_stands"
    assert say(entity=counter.entity.public_id, fee_bps=100).status_code == 201
    assert say(fee_bps=10_001).status_code == 422
