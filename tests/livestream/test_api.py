"""Running a session over HTTP: who may, what is made once, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from config.accounts.tokens import sign_customer, sign_staff
from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from livestream.models import CommissionPlan, Listing, LiveSession, Promoter
from stores.models import ApiClient, Brand
from stores.services import api_clients
from tests import factories
from tests.factories import NOW
from tests.livestream.conftest import acts
from vouchers.models import Offer

pytestmark = pytest.mark.django_db

API = "/api/v1"


def bearer(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def person(*brands: Brand, role: str = "operator") -> APIClient:
    user = factories.user()
    for brand in brands:
        factories.staff(brand, role=role, user=user)
    return bearer(sign_staff(user_id=user.id, at=datetime.now(UTC)).text)


def program(brand: Brand, scope: ApiClient.Scope = ApiClient.Scope.SELLING) -> APIClient:
    by = Caller(kind=CallerKind.OPERATOR, id=None)
    issued = api_clients.create(brand_id=brand.id, name="mini-program", scopes=[scope], by=by, at=NOW)
    return bearer(issued.key)


def post(client: APIClient, path: str, body: Any = None, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post(f"{API}/{path}", body if body is not None else {}, format="json", headers=headers)


def patch(client: APIClient, path: str, body: Any) -> Any:
    return client.patch(f"{API}/{path}", body, format="json")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def an_offer(brand: Brand) -> Offer:
    return factories.offer(factories.terms(factories.deal(brand)), state="draft")


@pytest.fixture
def session(brand: Brand) -> LiveSession:
    return factories.live_session(brand, state="draft", opened_at=None)


def test_a_program_runs_a_session_from_first_to_last(brand: Brand) -> None:
    client = program(brand)
    made = post(client, "sessions", {"title": "夏日开播", "ends_at": datetime.now(UTC) + timedelta(hours=3)})
    assert made.status_code == 201
    path = f"sessions/{made.json()['id']}"
    first, second = (post(client, f"{path}/listings", {"offer": an_offer(brand).public_id}).json() for _ in range(2))
    patch(client, f"listings/{second['id']}", {"position": 0, "card": {"badge": "5 折"}})

    states = [post(client, f"{path}/{turn}").json()["state"] for turn in ("open", "pause", "resume")]

    assert states == ["open", "paused", "open"]
    shown = client.get(f"{API}/{path}").json()
    assert [(one["id"], one["position"], one["card"]) for one in shown["listings"]] == [
        (second["id"], 0, {"badge": "5 折"}),
        (first["id"], 1, {}),
    ]
    assert client.delete(f"{API}/listings/{first['id']}").status_code == 204
    assert post(client, f"{path}/close").json()["state"] == "closed"
    assert set(Offer.objects.values_list("state", flat=True)) == {"open", "closed"}
    programs_acts = AuditEntry.objects.filter(actor_kind="api_client").values_list("act", flat=True).order_by("id")
    assert list(programs_acts) == [
        "session.created",
        "listing.created",
        "listing.created",
        "listing.edited",
        "session.opened",
        "session.paused",
        "session.resumed",
        "listing.taken_off",
        "session.closed",
    ]


def test_a_repeat_answers_200_with_the_same_and_other_content_409(brand: Brand) -> None:
    client, key = person(brand), str(uuid4())

    first, again = (post(client, "sessions", {"title": "开播"}, key) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert code(post(client, "sessions", {"title": "别的"}, key)) == (409, "idempotency_conflict")
    assert code(client.post(f"{API}/sessions", {"title": "开播"}, format="json")) == (422, "idempotency_key_required")


def test_what_has_a_natural_key_is_repeated_by_it(brand: Brand, session: LiveSession) -> None:
    client, offer = person(brand), an_offer(brand)

    listed = [post(client, f"sessions/{session.public_id}/listings", {"offer": offer.public_id}) for _ in range(2)]
    promoters = [post(client, "promoters", {"code": "aqing", "name": "阿青"}) for _ in range(2)]

    for first, again in (listed, promoters):
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
    assert code(post(client, "promoters", {"code": "aqing", "name": "小满"})) == (409, "promoter_code_taken")


def test_promoters_and_plans_are_made_listed_and_ended(brand: Brand, session: LiveSession) -> None:
    client = person(brand)
    promoter = post(client, "promoters", {"code": "aqing", "name": "阿青"}).json()
    plan = post(
        client,
        "commission-plans",
        {
            "promoter": promoter["id"],
            "session": session.public_id,
            "promoter_rate_bps": 800,
            "provider_rate_bps": 200,
            "starts_at": datetime.now(UTC) + timedelta(hours=1),
        },
    )
    assert (plan.status_code, plan.json()["promoter"], plan.json()["session"]) == (
        201,
        promoter["id"],
        session.public_id,
    )
    post(client, "commission-plans", {"promoter_rate_bps": 100})

    ended = post(client, f"commission-plans/{plan.json()['id']}/end").json()
    gone = post(client, f"promoters/{promoter['id']}/end").json()

    assert ended["ended_at"] is not None
    assert gone["ended_at"] is not None
    hers = client.get(f"{API}/commission-plans", {"promoter": promoter["id"]}).json()
    assert [one["id"] for one in hers["items"]] == [ended["id"]]
    assert len(client.get(f"{API}/commission-plans").json()["items"]) == 2
    assert [one["id"] for one in client.get(f"{API}/promoters").json()["items"]] == [promoter["id"]]


def test_lists_come_a_page_at_a_time_and_by_state(brand: Brand) -> None:
    for n in range(3):
        factories.live_session(brand, title=str(n), created_at=NOW + timedelta(minutes=n))
    factories.live_session(brand, state="closed", closed_at=NOW)
    client = person(brand)

    first = client.get(f"{API}/sessions", {"limit": 2, "state": "open"}).json()
    rest = client.get(f"{API}/sessions", {"limit": 2, "state": "open", "cursor": first["next"]}).json()

    assert [one["title"] for one in first["items"] + rest["items"]] == ["2", "1", "0"]
    assert rest["next"] is None


def test_who_serves_two_brands_says_which(brand: Brand) -> None:
    other = factories.brand()
    client = person(brand, other)

    assert code(post(client, "sessions", {"title": "x"})) == (422, "brand_required")
    assert post(client, "sessions", {"title": "x", "brand": other.public_id}).json()["brand"] == other.public_id
    assert client.get(f"{API}/sessions", {"brand": brand.public_id}).json()["items"] == []
    foreign = factories.brand().public_id
    assert code(post(client, "sessions", {"title": "x", "brand": foreign})) == (404, "brand_not_found")


def test_a_kill_stops_what_is_on_and_is_taken_back(brand: Brand) -> None:
    session = factories.live_session(brand)
    factories.listing(session, factories.offer(factories.terms(factories.deal(brand))))
    client = person(brand)
    path = f"sessions/{session.public_id}"

    def shown() -> tuple[str, bool]:
        (listing,) = client.get(f"{API}/live/{session.public_id}").json()["listings"]
        kill = client.get(f"{API}/{path}").json()["kill"]
        return listing["state"], bool(kill and kill["stopped_at"])

    assert shown() == ("open", False)
    killed = [post(client, f"{path}/kill", {"reason": "价格填错"}).json() for _ in range(2)]
    assert shown() == ("stopped", True)
    assert client.delete(f"{API}/{path}/kill").json()["stopped_at"] is None

    assert shown() == ("open", False)
    assert killed[0] == killed[1]
    assert acts(session.id) == ["selling.stopped", "selling.resumed"]
    assert code(post(client, f"{path}/kill", {})) == (422, "malformed_request")


OPERATIONS = [
    ("get", "sessions/{session}"),
    ("patch", "sessions/{session}"),
    ("post", "sessions/{session}/open"),
    ("post", "sessions/{session}/pause"),
    ("post", "sessions/{session}/resume"),
    ("post", "sessions/{session}/close"),
    ("post", "sessions/{session}/kill"),
    ("delete", "sessions/{session}/kill"),
    ("post", "sessions/{session}/listings"),
    ("patch", "listings/{listing}"),
    ("delete", "listings/{listing}"),
    ("post", "promoters/{promoter}/end"),
    ("post", "commission-plans/{plan}/end"),
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda value: str(value))
def test_another_brands_is_not_there_and_a_role_that_may_not_is_forbidden(
    brand: Brand, session: LiveSession, method: str, path: str
) -> None:
    offer = an_offer(brand)
    rows = {
        "session": session,
        "listing": factories.listing(session, offer),
        "promoter": factories.promoter(brand),
        "plan": CommissionPlan.objects.create(brand=brand, promoter_rate_bps=1, starts_at=NOW, created_at=NOW),
    }
    where = f"{API}/" + path.format(**{name: row.public_id for name, row in rows.items()})
    body = {"offer": offer.public_id} if path.endswith("listings") else {}
    if (method, path[-4:]) == ("post", "kill"):
        body = {"reason": "wrong price"}

    def call(client: APIClient) -> Any:
        return getattr(client, method)(where, body, format="json") if method != "get" else client.get(where)

    elsewhere = factories.brand()
    for stranger in (person(elsewhere), program(elsewhere)):
        status, refusal = code(call(stranger))
        assert status == 404
        assert refusal.endswith("_not_found")
    for powerless in (person(brand, role="auditor"), program(brand, ApiClient.Scope.REPORTS)):
        assert code(call(powerless)) == (403, "not_allowed")
    customer = bearer(sign_customer(customer_id=uuid4(), brand_id=brand.id, at=datetime.now(UTC)).text)
    assert code(call(customer)) == (403, "not_allowed")
    assert code(call(APIClient())) == (401, "not_signed_in")
    assert AuditEntry.objects.exclude(act="api_client.created").count() == 0
    assert call(person(brand, role="owner")).status_code in (200, 204, 409)


@pytest.mark.parametrize("path", ["sessions", "promoters", "commission-plans"])
def test_lists_and_makings_are_for_those_who_may_sell(brand: Brand, path: str) -> None:
    for powerless in (person(brand, role="finance"), program(brand, ApiClient.Scope.CATALOG)):
        assert code(powerless.get(f"{API}/{path}")) == (403, "not_allowed")
    full = {
        "sessions": {"title": "x"},
        "promoters": {"code": "x", "name": "x"},
        "commission-plans": {"promoter_rate_bps": 1},
    }
    assert code(post(person(brand, role="auditor"), path, full[path])) == (403, "not_allowed")
    assert code(APIClient().get(f"{API}/{path}")) == (401, "not_signed_in")
    assert LiveSession.objects.count() + Promoter.objects.count() + CommissionPlan.objects.count() == 0


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("sessions", {}, (422, "malformed_request")),
        ("sessions", {"title": "x", "colour": "red"}, (422, "unknown_parameter")),
        ("sessions", {"title": "x" * 129}, (422, "malformed_request")),
        ("sessions", {"title": "x", "starts_at": "soon"}, (422, "malformed_request")),
        ("sessions", {"title": "x", "ends_at": "2020-01-01T00:00:00Z"}, (422, "session_times_invalid")),
        (
            "sessions",
            {"title": "x", "is_standing": True, "ends_at": "2099-01-01T00:00:00Z"},
            (422, "shelf_has_no_end"),
        ),
        ("promoters", {"code": "a b", "name": "x"}, (422, "malformed_request")),
        ("promoters", {"code": "a\n", "name": "x"}, (201, "")),
        ("promoters", {"code": "", "name": "x"}, (422, "malformed_request")),
        ("commission-plans", {"promoter_rate_bps": 10_001}, (422, "malformed_request")),
        ("commission-plans", {"promoter_rate_bps": 9_000, "provider_rate_bps": 1_001}, (422, "commission_too_high")),
        (
            "commission-plans",
            {"promoter_rate_bps": 1, "starts_at": "2020-01-01T00:00:00Z"},
            (422, "commission_times_invalid"),
        ),
        ("commission-plans", {"promoter_rate_bps": 1, "promoter": "prm_x"}, (404, "malformed_id")),
        ("commission-plans", {"promoter_rate_bps": 1, "promoter": f"prm_{'0' * 32}"}, (404, "promoter_not_found")),
    ],
    ids=lambda value: str(value)[:48],
)
def test_bad_input_is_refused_with_its_code(
    brand: Brand, path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = post(person(brand), path, body)

    assert (answer.status_code, answer.json().get("error", {}).get("code", "")) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"position": -1}, (422, "malformed_request")),
        ({"card": [1]}, (422, "malformed_request")),
        ({"card": {"text": "x" * 5_000}}, (422, "card_invalid")),
        ({"card": {"big": 2**70}}, (422, "card_invalid")),
        ({"offer": "off_x"}, (422, "unknown_parameter")),
    ],
    ids=lambda value: ascii(value)[:48],
)
def test_a_listing_is_edited_within_bounds(
    brand: Brand, session: LiveSession, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    listing = factories.listing(session, an_offer(brand))

    assert code(patch(person(brand), f"listings/{listing.public_id}", body)) == expected
    assert Listing.objects.get().card == {}


@pytest.mark.parametrize(
    "value", [b"[" * 300 + b"]" * 300, rb'"\ud800"'], ids=["nested without end", "half a character"]
)
def test_what_is_no_plain_json_is_no_500(brand: Brand, session: LiveSession, value: bytes) -> None:
    listing = factories.listing(session, an_offer(brand))
    sent = b'{"card": {"a": ' + value + b"}}"

    answer = person(brand).generic("PATCH", f"{API}/listings/{listing.public_id}", sent, "application/json")

    assert code(answer) == (422, "card_invalid")


def test_a_standing_session_is_one_of_its_brand(brand: Brand) -> None:
    client = person(brand)
    post(client, "sessions", {"title": "货架", "is_standing": True})

    assert code(post(client, "sessions", {"title": "又一个", "is_standing": True})) == (409, "shelf_exists")


def test_acts_out_of_turn_say_why(brand: Brand, session: LiveSession) -> None:
    client = person(brand)

    assert code(post(client, f"sessions/{session.public_id}/resume")) == (409, "session_not_open")
    post(client, f"sessions/{session.public_id}/close")
    assert code(post(client, f"sessions/{session.public_id}/open")) == (409, "session_closed")
    assert code(patch(client, f"sessions/{session.public_id}", {"title": "x"})) == (409, "session_closed")
    assert code(post(client, f"sessions/{session.public_id}/open", {"now": True})) == (422, "unknown_parameter")
