"""A site without the lane answers customers byte for byte as the lane does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from django.test import Client

from config.accounts.tokens import sign_staff
from livestream.models import LiveSession
from orders.models import PaymentNotice, Purchase
from orders.providers import sandbox_messages as messages
from orders.providers.interface import EventKind
from orders.providers.sandbox_signature import Keys
from tests import factories
from tests.livestream.served import play, purchases, signed_in, wish
from tests.vouchers import counters, fake_platform
from tests.vouchers.fake_platform import FakePlatform
from vouchers.models import Offer, Redemption, SellingSwitch, Voucher
from vouchers.services import issuer_asking

pytestmark = pytest.mark.django_db(transaction=True)

Answer = tuple[int, bytes]


@pytest.fixture
def session() -> LiveSession:
    return factories.live_session(factories.brand(), ends_at=datetime.now(UTC) + timedelta(hours=1))


@pytest.fixture
def offer(session: LiveSession) -> Offer:
    terms = factories.terms(factories.deal(session.brand))
    offer = factories.offer(terms, allotment=5, per_customer_limit=3, opens_at=datetime.now(UTC) - timedelta(hours=1))
    factories.listing(session, offer, card={"badge": "5 折"})
    return offer


def of_lane(method: str, path: str, headers: dict[str, str], content: bytes = b"") -> Answer:
    async def story(client: httpx.AsyncClient) -> Answer:
        answer = await client.request(method, path, headers=headers, content=content)
        return answer.status_code, answer.content

    found: Answer = play(story)
    return found


def of_site(method: str, path: str, headers: dict[str, str], content: bytes = b"") -> Answer:
    answer = Client().generic(method, path, content, headers.get("Content-Type", ""), headers=headers)
    return answer.status_code, answer.content


EDGES = [of_lane, of_site]
Edge = Callable[..., Answer]


def body(offer: Offer, /, **fields: Any) -> bytes:
    return httpx.Request("POST", "http://x", json=wish(offer, **fields)).content


def buyer(session: LiveSession, **headers: str) -> dict[str, str]:
    sent = {"Content-Type": "application/json", "X-Request-Id": "req_of_this_test", **headers}
    return signed_in(session, **sent)


@pytest.mark.parametrize("first", EDGES)
def test_a_sale_and_its_repeats_are_told_alike_whoever_made_it(session: LiveSession, offer: Offer, first: Edge) -> None:
    headers = buyer(session)
    sent = ("POST", purchases(session), headers, body(offer, quantity=2, channel="shelf", content_id="room-7"))

    status, sold = first(*sent)
    repeats = [edge(*sent) for edge in EDGES]

    assert status == 201
    assert repeats == [(200, sold), (200, sold)]
    assert Purchase.objects.get().quantity == 2


def test_a_purchase_is_followed_alike(session: LiveSession, offer: Offer) -> None:
    headers = buyer(session)
    of_site("POST", purchases(session), headers, body(offer))
    purchase = Purchase.objects.get()
    path = f"/api/v1/purchases/{purchase.public_id}"

    accepted = [edge("GET", path, headers) for edge in EDGES]
    Purchase.objects.update(status="paid", paid_at=datetime.now(UTC))
    paid = [edge("GET", path, headers) for edge in EDGES]

    assert accepted[0] == accepted[1]
    assert paid[0] == paid[1]
    assert (accepted[0][0], b'"accepted"' in accepted[0][1], b'"paid"' in paid[0][1]) == (200, True, True)


def test_the_live_page_is_made_of_the_same(session: LiveSession, offer: Offer) -> None:
    path = f"/api/v1/live/{session.public_id}"

    (lane_status, of_the_lane), (site_status, of_the_site) = [edge("GET", path, {}) for edge in EDGES]

    pages = [httpx.Response(200, content=content).json() for content in (of_the_lane, of_the_site)]
    assert (lane_status, site_status) == (200, 200)
    for page in pages:
        page.pop("server_time")
        assert page["listings"][0].pop("sold_per_second") in (None, 0.0)
    assert pages[0] == pages[1]
    assert list(pages[0]) == list(pages[1])
    assert pages[0]["listings"][0]["card"] == {"badge": "5 折"}


def test_commission_is_frozen_alike(session: LiveSession, offer: Offer) -> None:
    promoter = factories.promoter(session.brand)
    promoter.plans.create(
        brand=session.brand, promoter_rate_bps=800, starts_at=promoter.created_at, created_at=promoter.created_at
    )

    for edge in EDGES:
        edge("POST", purchases(session), buyer(session), body(offer, promoter=promoter.code))

    frozen = Purchase.objects.values_list("promoter_id", "promoter_rate_bps", "provider_rate_bps")
    assert list(frozen) == [(promoter.id, 800, 0)] * 2


REFUSED: list[tuple[dict[str, str], Any, int, str]] = [
    ({"Authorization": ""}, {}, 401, "not_signed_in"),
    ({"Authorization": "Bearer x.y.z"}, {}, 401, "not_signed_in"),
    ({"Idempotency-Key": "seven"}, {}, 422, "idempotency_key_required"),
    ({"Content-Type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
    ({}, b"{", 400, "malformed_json"),
    ({}, b"\xff\xfe", 400, "malformed_json"),
    ({}, b"[" * 10_000, 422, "malformed_request"),
    ({}, b" " * 20_000, 413, "request_too_large"),
    ({}, {"quantity": "two"}, 422, "malformed_request"),
    ({}, {"colour": "red"}, 422, "malformed_request"),
    ({}, {"quantity": 0}, 422, "quantity_out_of_range"),
    ({}, {"quantity": 2**63}, 422, "quantity_out_of_range"),
    ({}, {"unit_price_fen": 1}, 409, "price_changed"),
    ({}, {"quantity": 4}, 409, "limit_reached"),
    ({}, {"offer": "off_x"}, 404, "malformed_id"),
    ({}, {"offer": f"off_{'0' * 32}"}, 404, "offer_not_found"),
    ({"Accept-Language": "en"}, {"offer": f"off_{'0' * 32}"}, 404, "offer_not_found"),
]


@pytest.mark.parametrize(("headers", "change", "status", "code"), REFUSED, ids=lambda value: str(value)[:32])
def test_a_refusal_is_told_alike(
    session: LiveSession, offer: Offer, headers: dict[str, str], change: Any, status: int, code: str
) -> None:
    content = change if isinstance(change, bytes) else body(offer, **change)
    sent = ("POST", purchases(session), buyer(session, **headers), content)

    lane, site = [edge(*sent) for edge in EDGES]

    assert lane == site
    assert lane[0] == status
    assert f'"{code}"'.encode() in lane[1]
    assert Purchase.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "paused"}, "sale_paused"),
        ({"is_held_back": True}, "sale_paused"),
        ({"state": "closed", "closed_at": datetime.now(UTC)}, "sale_closed"),
        ({"opens_at": datetime(2099, 1, 1, tzinfo=UTC)}, "not_on_sale_yet"),
        ({"sold": 5}, "sold_out"),
    ],
    ids=lambda value: str(value)[:32],
)
def test_an_offer_that_does_not_sell_says_so_alike(
    session: LiveSession, offer: Offer, change: dict[str, Any], code: str
) -> None:
    Offer.objects.update(**change)
    sent = ("POST", purchases(session), buyer(session), body(offer))

    lane, site = [edge(*sent) for edge in EDGES]

    assert lane == site
    assert (lane[0], f'"{code}"'.encode() in lane[1]) == (409, True)


def test_a_kill_is_told_alike_on_the_page_and_to_a_buyer(session: LiveSession, offer: Offer) -> None:
    SellingSwitch.objects.create(
        scope="session", scope_id=session.id, stopped_at=datetime.now(UTC), changed_at=datetime.now(UTC)
    )

    refused = [edge("POST", purchases(session), buyer(session), body(offer)) for edge in EDGES]
    pages = [edge("GET", f"/api/v1/live/{session.public_id}", {}) for edge in EDGES]

    assert refused[0][0] == refused[1][0] == 409
    assert all(b'"selling_stopped"' in content for _, content in refused)
    assert all(b'"state":"stopped"' in content for _, content in pages)


@pytest.mark.parametrize(("key", "status"), [("ours", 200), ("00" * 32, 401)])
def test_a_providers_notice_is_taken_or_refused_alike(settings: Any, key: str, status: int) -> None:
    event = messages.Event(
        "evt-1", EventKind.PAYMENT_CAPTURED, f"pay_{'0' * 32}", "sbx-2", 990, "CNY", datetime.now(UTC)
    )
    content = messages.encode(messages.Notice([event]))
    keys = Keys(settings.SECRETS.sandbox_key if key == "ours" else key)
    signature = keys.header(content, at_seconds=int(datetime.now(UTC).timestamp()))
    headers = {"Content-Type": "application/json", "X-Request-Id": "req_of_this_test", "Sandbox-Signature": signature}

    lane, site = [edge("POST", "/api/v1/payments/sandbox/notices", headers, content) for edge in EDGES]

    assert lane == site
    assert lane[0] == status
    assert PaymentNotice.objects.count() == (1 if key == "ours" else 0)


@pytest.mark.parametrize("first", EDGES)
def test_a_redemption_its_repeats_and_its_refusal_are_told_alike(first: Edge) -> None:
    counter = counters.counter()
    voucher, refunded = counter.vouchers(counter.terms(kind="times_card"), count=2, bought_at=datetime.now(UTC))
    Voucher.objects.filter(pk=refunded.pk).update(status="refunded", uses_left=0)
    path = f"/api/v1/stores/{counter.store.public_id}/redemptions"
    headers = {
        "Authorization": f"Bearer {sign_staff(user_id=counter.clerk.id, at=datetime.now(UTC)).text}",
        "Idempotency-Key": str(uuid4()),
        "Content-Type": "application/json",
        "X-Request-Id": "req_of_this_test",
    }
    sent = ("POST", path, headers, orjson.dumps({"codes": [voucher.code, voucher.code], "bill_fen": None}))

    status, done = first(*sent)
    repeats = [edge(*sent) for edge in EDGES]
    refused = [
        edge("POST", path, headers | {"Idempotency-Key": str(uuid4())}, orjson.dumps({"codes": [refunded.code]}))
        for edge in EDGES
    ]

    assert status == 201
    assert repeats == [(200, done), (200, done)]
    assert refused[0] == refused[1]
    assert (refused[0][0], b'"voucher_refunded"' in refused[0][1]) == (409, True)
    assert Redemption.objects.count() == 2


def test_what_a_platform_has_not_decided_is_told_alike() -> None:
    counter, platform = counters.counter(), FakePlatform(clock=datetime.now(UTC), holds_for_risk=True)
    fake_platform.honoured_at(counter.store, platform)
    path = f"/api/v1/stores/{counter.store.public_id}/redemptions"
    headers = {
        "Authorization": f"Bearer {sign_staff(user_id=counter.clerk.id, at=datetime.now(UTC)).text}",
        "Idempotency-Key": str(uuid4()),
        "Content-Type": "application/json",
        "X-Request-Id": "req_of_this_test",
    }
    with fake_platform.connected(platform):
        sold = platform.sell(valid_until=datetime.now(UTC) + timedelta(days=1))
        sent = ("POST", path, headers, orjson.dumps({"codes": [sold.code]}))
        waiting = [edge(*sent) for edge in EDGES]
        second = [edge("POST", path, headers | {"Idempotency-Key": str(uuid4())}, sent[3]) for edge in EDGES]
        platform.decide(allow=True)
        issuer_asking.ask_due(limit=9, at=datetime.now(UTC) + timedelta(hours=1))
        done = [edge(*sent) for edge in EDGES]
        missed = [
            edge("POST", path, headers | {"Idempotency-Key": str(uuid4())}, orjson.dumps({"codes": ["123456789012"]}))
            for edge in EDGES
        ]

    assert waiting[0] == waiting[1]
    assert (waiting[0][0], orjson.loads(waiting[0][1])["outcome"]) == (202, "pending")
    assert second[0] == second[1]
    assert (second[0][0], b'"voucher_held"' in second[0][1]) == (409, True)
    assert done[0] == done[1]
    assert (done[0][0], len(orjson.loads(done[0][1])["redemptions"])) == (200, 1)
    assert missed[0] == missed[1]
    assert missed[0][0] == 404


def test_staff_cannot_buy_and_what_is_not_there_is_not_found_on_either(session: LiveSession, offer: Offer) -> None:
    staff = sign_staff(user_id=factories.user().id, at=datetime.now(UTC)).text
    nobodys = "0" * 32
    for method, path, headers, content in [
        ("POST", purchases(session), buyer(session, Authorization=f"Bearer {staff}"), body(offer)),
        ("GET", f"/api/v1/purchases/pur_{nobodys}", buyer(session), b""),
        ("GET", f"/api/v1/live/liv_{nobodys}", {"X-Request-Id": "req_of_this_test"}, b""),
        ("GET", "/api/v1/live/x", {"X-Request-Id": "req_of_this_test"}, b""),
    ]:
        lane, site = [edge(method, path, headers, content) for edge in EDGES]
        assert lane == site
        assert lane[0] in (403, 404)
