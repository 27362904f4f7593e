"""Grants over HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.kernel.models import AuditEntry
from stores.models import ApiClient, Brand
from stores.services import api_clients
from tests import factories
from tests.vouchers import granted
from tests.vouchers.http import as_customer, as_staff, error_of, get, post
from vouchers.models import DealTerms, Grant, Voucher
from vouchers.services.grant_reversal import reverse_granted

pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def operator(brand: Brand) -> dict[str, str]:
    return as_staff(factories.staff(brand, role="operator").user)


@pytest.fixture
def terms(brand: Brand) -> DealTerms:
    return factories.terms(factories.deal(brand))


def body(terms: DealTerms, **fields: Any) -> dict[str, Any]:
    return {"terms": terms.public_id, "reason": "会员日", "external_ids": ["u-1", "u-2"], **fields}


def program(brand: Brand, scope: str) -> dict[str, str]:
    by = granted.staff(factories.user())
    at = granted.NOW
    made = api_clients.create(brand_id=brand.id, name="crm", scopes=[ApiClient.Scope(scope)], by=by, at=at)
    return {"Authorization": f"Bearer {made.key}"}


def test_a_grant_is_counted_made_issued_and_taken_back(operator: dict[str, str], terms: DealTerms) -> None:
    preview = post("grants/preview", operator, {"terms": terms.public_id, "external_ids": ["u-1", "u-2"]})
    assert (preview.status_code, preview.json()) == (200, {"customers": 2, "new_customers": 2, "vouchers": 2})

    key = uuid4()
    made, again = (post("grants", operator, body(terms), key=key) for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    told = made.json()
    assert (told["customers"], told["vouchers"], told["terms"], told["segment"]) == (2, 2, terms.public_id, None)
    assert error_of(post("grants", operator, body(terms, per_customer=3), key=key)) == (409, "idempotency_conflict")

    granted.issue_all(at=Grant.objects.get().granted_at)
    seen = get(f"grants/{told['id']}", operator).json()
    assert (seen["counts"]["issued"], seen["counts"]["open"], seen["counts"]["is_done"]) == (2, 2, True)

    key = uuid4()
    taken, repeated = (post(f"grants/{told['id']}/reversal", operator, key=key) for _ in range(2))
    assert (taken.status_code, repeated.status_code) == (201, 200)
    assert not taken.json()["counts"]["is_done"]
    assert error_of(post(f"grants/{told['id']}/reversal", operator)) == (409, "grant_already_reversed")
    reverse_granted(at=Grant.objects.get().reversed_at)
    assert get(f"grants/{told['id']}", operator).json()["counts"]["reversed"] == 2
    assert [one["id"] for one in get("grants", operator).json()["items"]] == [told["id"]]


def test_customers_and_segments_by_their_ids(operator: dict[str, str], brand: Brand, terms: DealTerms) -> None:
    customer = factories.customer(brand)
    listed = {**body(terms), "customers": [customer.public_id]}
    del listed["external_ids"]
    by_list = post("grants", operator, listed)
    assert by_list.status_code == 201, by_list.json()
    granted.issue_all(at=Grant.objects.get().granted_at)

    segment = {"holds_open": {"deal": terms.deal.public_id}}
    by_segment = post("grants", operator, {"terms": terms.public_id, "reason": "回访", "segment": segment})
    assert (by_segment.status_code, by_segment.json()["segment"]) == (201, segment)
    assert by_segment.json()["customers"] == 1
    wallet = get("vouchers", as_customer(customer))
    assert [voucher["id"] for voucher in wallet.json()["items"]] == [Voucher.objects.get().public_id]


def test_who_may_not(brand: Brand, terms: DealTerms, operator: dict[str, str]) -> None:
    grant = post("grants", operator, body(terms)).json()["id"]
    clerk = as_staff(factories.staff(brand, store=factories.store(brand)).user)
    service = as_staff(factories.staff(brand, role="customer_service").user)
    stranger = as_staff(factories.staff(factories.brand(), role="owner").user)
    customer = as_customer(factories.customer(brand))
    for who in (clerk, service, customer, program(brand, "selling")):
        assert error_of(post("grants", who, body(terms))) == (403, "not_allowed")
        assert error_of(post("grants/preview", who, {"terms": terms.public_id, "external_ids": ["1"]}))[0] == 403
        assert error_of(get(f"grants/{grant}", who)) == (403, "not_allowed")
        assert error_of(get("grants", who)) == (403, "not_allowed")
        assert error_of(post(f"grants/{grant}/reversal", who)) == (403, "not_allowed")
    assert error_of(post("grants", stranger, body(terms))) == (404, "terms_not_found")
    assert error_of(get(f"grants/{grant}", stranger)) == (404, "grant_not_found")
    assert error_of(post(f"grants/{grant}/reversal", stranger)) == (404, "grant_not_found")
    assert get("grants", stranger).json()["items"] == []


def test_the_brands_server_grants_with_its_key(brand: Brand, terms: DealTerms) -> None:
    crm = program(brand, "granting")

    made = post("grants", crm, body(terms))

    assert made.status_code == 201
    [act] = AuditEntry.objects.filter(act="grant.made")
    assert act.actor_kind == "api_client"
    assert get("grants", crm).json()["items"] == [made.json()]


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"external_ids": []}, (422, "malformed_request")),
        ({"external_ids": ["x" * 129]}, (422, "malformed_request")),
        ({"external_ids": "u-1"}, (422, "malformed_request")),
        ({"per_customer": 0}, (422, "malformed_request")),
        ({"per_customer": 100}, (422, "malformed_request")),
        ({"reason": ""}, (422, "malformed_request")),
        ({"why": "no"}, (422, "unknown_parameter")),
        ({"segment": {"joined": {}}}, (422, "grant_invalid")),
        ({"external_ids": None}, (422, "malformed_request")),
        ({"terms": "trm_1"}, (404, "malformed_id")),
        ({"terms": f"trm_{uuid4().hex}"}, (404, "terms_not_found")),
    ],
)
def test_bad_input_is_refused(
    operator: dict[str, str], terms: DealTerms, fields: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert error_of(post("grants", operator, {**body(terms), **fields})) == refusal


@pytest.mark.parametrize(
    ("audience", "refusal"),
    [
        ({}, (422, "grant_invalid")),
        ({"segment": {}}, (422, "segment_invalid")),
        ({"segment": {"joined": {"from": "\x00"}}}, (422, "segment_invalid")),
        ({"segment": {"holds_open": {}}}, (409, "grant_reaches_nobody")),
        ({"customers": ["cus_1"]}, (404, "malformed_id")),
        ({"customers": [f"cus_{uuid4().hex}"]}, (404, "customers_not_found")),
    ],
)
def test_an_audience_that_is_none_is_refused(
    operator: dict[str, str], terms: DealTerms, audience: dict[str, Any], refusal: tuple[int, str]
) -> None:
    asked = {"terms": terms.public_id, "reason": "会员日", **audience}
    assert error_of(post("grants", operator, asked)) == refusal
    assert not Grant.objects.exists()


def test_a_grant_needs_its_key(operator: dict[str, str], terms: DealTerms) -> None:
    for path in ("grants", f"grants/gra_{uuid4().hex}/reversal"):
        answer = Client().post(f"/api/v1/{path}", body(terms), content_type="application/json", headers=operator)
        assert error_of(answer) == (422, "idempotency_key_required")
