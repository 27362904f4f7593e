"""Deals, terms, offers and switches over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from stores.models import Brand
from tests import factories
from tests.vouchers.http import as_staff, error_of, get, post, put
from vouchers.models import DealTerms, Offer, SellingSwitch

pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def operator(brand: Brand) -> dict[str, str]:
    return as_staff(factories.staff(brand, role="operator").user)


@pytest.fixture
def clerk(brand: Brand) -> dict[str, str]:
    return as_staff(factories.staff(brand, store=factories.store(brand)).user)


@pytest.fixture
def stranger() -> dict[str, str]:
    return as_staff(factories.staff(factories.brand(), role="owner").user)


DEAL = {"out_id": "tea-20", "kind": "cash", "name": "20 元代金券", "total": 1_000}
TERMS: dict[str, Any] = {
    "title": "20 元代金券",
    "list_price_fen": 2_000,
    "face_value_fen": 2_000,
    "usable_days": 30,
    "weekdays": [1, 2, 3, 4, 5],
    "day_spans": [["10:00", "26:00"]],
    "blackout_dates": ["2027-02-06"],
    "store_scope": {"everywhere": True},
}


def made_terms(operator: dict[str, str], **deal: Any) -> str:
    made = post("deals", operator, {**DEAL, **deal}).json()
    terms: str = post(f"deals/{made['id']}/terms", operator, TERMS).json()["id"]
    return terms


def made_offer(operator: dict[str, str], **fields: Any) -> dict[str, Any]:
    body = {"terms": made_terms(operator), "price_fen": 990, "allotment": 100, **fields}
    answer: dict[str, Any] = post("offers", operator, body).json()
    return answer


def test_a_deal_is_made_once_under_its_own_name(operator: dict[str, str]) -> None:
    first, again = post("deals", operator, DEAL), post("deals", operator, DEAL)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["total"], first.json()["free"]) == (1_000, 1_000)
    assert error_of(post("deals", operator, {**DEAL, "name": "别的"})) == (409, "out_id_taken")
    assert [deal["id"] for deal in get("deals", operator, out_id="tea-20").json()["items"]] == [first.json()["id"]]
    assert get("deals", operator, out_id="no").json()["items"] == []


def test_terms_are_numbered_and_what_equals_the_latest_is_the_latest(operator: dict[str, str]) -> None:
    deal = post("deals", operator, DEAL).json()["id"]

    first = post(f"deals/{deal}/terms", operator, TERMS)
    again = post(f"deals/{deal}/terms", operator, TERMS)
    second = post(f"deals/{deal}/terms", operator, {**TERMS, "usable_days": 60})

    assert [answer.status_code for answer in (first, again, second)] == [201, 200, 201]
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["number"], second.json()["number"]) == (1, 2)
    listed = get(f"deals/{deal}/terms", operator).json()["items"]
    assert [terms["number"] for terms in listed] == [2, 1]
    assert {name: listed[1][name] for name in TERMS} == TERMS


@pytest.mark.parametrize(
    "wrong",
    [
        {"face_value_fen": None},
        {"usable_days": None},
        {"weekdays": [8]},
        {"day_spans": [["26:00", "10:00"]]},
        {"store_scope": {"stores": ["brd_1"]}},
        {"store_scope": {"shops": []}},
        {"discount_rate_bps": 100},
        {"use_list_fen": [1_000, 1_000]},
        {"list_price_fen": 10**15},
    ],
)
def test_terms_that_cannot_hold_are_refused_by_field(operator: dict[str, str], wrong: dict[str, Any]) -> None:
    deal = post("deals", operator, DEAL).json()["id"]

    answer = post(f"deals/{deal}/terms", operator, {**TERMS, **wrong})

    assert error_of(answer) == (422, "terms_invalid")
    assert answer.json()["error"]["param"] in TERMS.keys() | wrong.keys()
    assert not DealTerms.objects.exists()


def test_an_offer_takes_stock_and_gives_it_a_life(operator: dict[str, str]) -> None:
    offer = made_offer(operator)
    path = f"offers/{offer['id']}"

    assert (offer["state"], offer["allotment"], offer["sold"]) == ("draft", 100, 0)
    turned = [post(f"{path}/{act}", operator).json()["state"] for act in ("open", "open", "pause", "resume", "close")]
    assert turned == ["open", "open", "paused", "open", "closed"]
    assert error_of(post(f"{path}/open", operator)) == (409, "offer_state_refuses")
    assert get(path, operator).json()["closed_at"] is not None
    assert get("deals", operator).json()["items"][0]["free"] == 900


def test_the_same_offer_request_is_one_offer(operator: dict[str, str]) -> None:
    body, key = {"terms": made_terms(operator), "price_fen": 990, "allotment": 10}, uuid4()

    first, again = post("offers", operator, body, key=key), post("offers", operator, body, key=key)
    other = post("offers", operator, {**body, "price_fen": 1}, key=key)

    assert (first.status_code, again.status_code) == (201, 200)
    assert Offer.objects.count() == 1
    assert error_of(other) == (409, "idempotency_conflict")


def test_allotments_move_between_offer_and_deal(operator: dict[str, str]) -> None:
    path = f"offers/{made_offer(operator)['id']}/allotment"

    assert put(path, operator, {"allotment": 1_000}).json()["allotment"] == 1_000
    assert error_of(put(path, operator, {"allotment": 1_001})) == (409, "deal_stock_exhausted")
    assert put(path, operator, {"allotment": 1}).status_code == 200
    assert get("deals", operator).json()["items"][0]["free"] == 999


def test_a_bundle_shows_what_each_child_gives_back_before_anybody_buys(operator: dict[str, str]) -> None:
    tea = made_terms(operator)
    card = post("deals", operator, {**DEAL, "out_id": "card", "kind": "times_card"}).json()["id"]
    uses = {"list_price_fen": 3_000, "use_list_fen": [1_000] * 3, "face_value_fen": None}
    times = post(f"deals/{card}/terms", operator, {**TERMS, **uses, "title": "三次卡"}).json()["id"]
    deal = post("deals", operator, {**DEAL, "out_id": "bundle", "kind": "bundle"}).json()["id"]
    children = [{"terms": tea, "count": 2}, {"terms": times, "count": 1}]
    bundle = {"title": "券包", "list_price_fen": 7_000, "usable_days": 30, "bundle_children": children}

    published, again = (post(f"deals/{deal}/terms", operator, bundle) for _ in range(2))
    assert (published.status_code, again.status_code) == (201, 200)
    assert [child["list_price_fen"] for child in published.json()["bundle_children"]] == [2_000, 3_000]
    offer = post("offers", operator, {"terms": published.json()["id"], "price_fen": 1_000, "allotment": 5}).json()

    assert offer["parts"] == [
        {"title": "20 元代金券", "kind": "cash", "count": 2, "use_fen": [286]},
        {"title": "三次卡", "kind": "times_card", "count": 1, "use_fen": [143, 143, 142]},
    ]
    for wrong in ({"list_price_fen": 6_999}, {"weekdays": [1]}, {"bundle_children": [{"terms": tea, "count": 0}]}):
        refusal = post(f"deals/{deal}/terms", operator, {**bundle, **wrong})
        assert error_of(refusal) == (422, "terms_invalid")


def test_a_switch_stops_and_lets_go(brand: Brand, operator: dict[str, str]) -> None:
    offer = made_offer(operator)["id"]

    stopped = post("selling/stop", operator, {"scope": "offer", "id": offer, "reason": "价格错误"}).json()
    whole = post("selling/stop", operator, {"scope": "brand", "reason": "演练"}).json()
    resumed = post("selling/resume", operator, {"scope": "offer", "id": offer}).json()

    assert (stopped["id"], stopped["is_stopped"], stopped["reason"]) == (offer, True, "价格错误")
    assert (whole["id"], whole["is_stopped"]) == (brand.public_id, True)
    assert (resumed["is_stopped"], resumed["stopped_at"]) == (False, None)
    assert set(SellingSwitch.objects.exclude(stopped_at=None).values_list("scope_id", flat=True)) == {brand.id}


def test_a_session_is_stopped_by_the_brand_whose_offers_it_has(
    operator: dict[str, str], stranger: dict[str, str]
) -> None:
    offer, session = made_offer(operator), uuid4()
    Offer.objects.filter(pk=offer["id"].removeprefix("off_")).update(session_id=session)
    body = {"scope": "session", "id": f"liv_{session.hex}", "reason": "停"}

    assert error_of(post("selling/stop", stranger, body)) == (404, "switch_scope_not_found")
    assert post("selling/stop", operator, body).json()["id"] == f"liv_{session.hex}"


def test_other_brands_and_clerks_reach_nothing(
    operator: dict[str, str], clerk: dict[str, str], stranger: dict[str, str]
) -> None:
    terms = made_terms(operator)
    offer = made_offer(operator, terms=terms)["id"]
    deal = DealTerms.objects.get().deal.public_id

    assert error_of(get(f"deals/{deal}", stranger)) == (404, "deal_not_found")
    assert error_of(get(f"offers/{offer}", stranger)) == (404, "offer_not_found")
    assert error_of(post(f"offers/{offer}/open", stranger)) == (404, "offer_not_found")
    assert error_of(post("offers", stranger, {"terms": terms, "price_fen": 1, "allotment": 1})) == (
        404,
        "terms_not_found",
    )
    assert error_of(post("selling/stop", stranger, {"scope": "offer", "id": offer, "reason": "x"})) == (
        404,
        "switch_scope_not_found",
    )
    for refused in (post("deals", clerk, DEAL), get(f"deals/{deal}", clerk), post(f"offers/{offer}/close", clerk)):
        assert error_of(refused) == (403, "not_allowed")
