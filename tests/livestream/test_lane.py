"""The lane sells, tells and refuses over ASGI exactly as the services below it do."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.db import connections

from config.accounts.models import User
from config.accounts.tokens import sign_staff
from config.asgi import lane
from livestream.models import LiveSession
from orders.models import Purchase
from tests import factories
from tests.livestream.served import play, purchases, signed_in, wish
from tests.patience import LIMIT_SECONDS, soon
from tests.vouchers import fake_platform
from tests.vouchers.fake_platform import FakePlatform
from vouchers.models import Offer, SellingSwitch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session() -> LiveSession:
    return factories.live_session(factories.brand())


@pytest.fixture
def offer(session: LiveSession) -> Offer:
    deal = factories.deal(session.brand)
    offer = factories.offer(factories.terms(deal), allotment=3, opens_at=datetime.now(UTC) - timedelta(hours=1))
    factories.listing(session, offer)
    return offer


def write(change: Callable[[], object]) -> None:
    """Change the database from a thread of its own, and leave no connection behind."""
    try:
        change()
    finally:
        connections.close_all()


def test_buying_answers_201_and_the_repeat_200_with_the_same_purchase(session: LiveSession, offer: Offer) -> None:
    headers = signed_in(session)

    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post(purchases(session), headers=headers, json=wish(offer)) for _ in range(2)]

    first, second = play(story)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["purchase"] == second.json()["purchase"] == Purchase.objects.get().public_id
    assert first.json()["total_fen"] == 990
    assert first.json()["payment"]["provider"] == "sandbox"


def test_the_holder_of_the_last_unit_who_lost_her_answer_gets_it_after_the_sell_out(
    session: LiveSession, offer: Offer
) -> None:
    headers = signed_in(session)

    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        hers = await client.post(purchases(session), headers=headers, json=wish(offer, quantity=3))
        await asyncio.sleep(0.3)  # memory knows the sell-out now
        late = await client.post(purchases(session), headers=signed_in(session), json=wish(offer))
        again = await client.post(purchases(session), headers=headers, json=wish(offer, quantity=3))
        return [hers, late, again]

    hers, late, again = play(story)

    assert late.status_code == 409
    assert late.json()["error"]["code"] == "sold_out"
    assert again.status_code == 200
    assert again.json()["purchase"] == hers.json()["purchase"]


def test_a_purchase_is_followed_by_its_customer_alone(session: LiveSession, offer: Offer) -> None:
    hers, other = signed_in(session), signed_in(session)

    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        bought = await client.post(purchases(session), headers=hers, json=wish(offer))
        path = f"/api/v1/purchases/{bought.json()['purchase']}"
        return [await client.get(path, headers=hers), await client.get(path, headers=other)]

    mine, foreign = play(story)

    assert mine.json()["status"] == "accepted"
    assert foreign.status_code == 404
    assert foreign.json()["error"]["code"] == "purchase_not_found"


def test_the_live_page_and_its_stream_show_what_was_sold(session: LiveSession, offer: Offer) -> None:
    async def story(client: httpx.AsyncClient) -> dict[str, Any]:
        await client.post(purchases(session), headers=signed_in(session), json=wish(offer, quantity=2))
        # Memory is told by its next look.
        while (page := (await client.get(f"/api/v1/live/{session.public_id}")).json())["listings"][0]["sold"] == 0:
            await asyncio.sleep(0.02)
        return dict(page)

    (listing,) = play(story)["listings"]

    assert (listing["sold"], listing["left"], listing["unit_price_fen"]) == (2, 1, 990)
    assert listing["offer"] == offer.public_id


def test_the_stream_tells_a_sale_and_then_the_end(session: LiveSession, offer: Offer) -> None:
    application = lane(None)
    told: list[Any] = []

    async def story() -> None:
        sold, closed = asyncio.Event(), asyncio.Event()

        async def send(message: Any) -> None:
            for line in message.get("body", b"").decode().splitlines():
                if line.startswith("data: {") and "listings" in line:
                    told.append(json.loads(line[6:])["listings"][0]["sold"])
                    if told[-1] == 1:
                        sold.set()
                if line == "event: closed":
                    closed.set()

        async def forever() -> Any:
            await asyncio.Event().wait()

        application.memory.start(asyncio.get_running_loop())
        await soon(lambda: bool(application.memory.now.figures))
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/api/v1/live/{session.public_id}/events",
            "headers": [],
            "query_string": b"",
        }
        watching = asyncio.create_task(application(scope, forever, send))
        await asyncio.to_thread(write, lambda: Offer.objects.update(sold=1))
        await asyncio.wait_for(sold.wait(), LIMIT_SECONDS)
        await asyncio.to_thread(write, lambda: LiveSession.objects.update(state="closed", closed_at=datetime.now(UTC)))
        await asyncio.wait_for(closed.wait(), LIMIT_SECONDS)
        await asyncio.wait_for(watching, LIMIT_SECONDS)

    try:
        asyncio.run(story())
    finally:
        application.memory.stop()

    assert told[0] in (0, 1)
    assert told[-1] == 1


def test_memory_refuses_a_kill_before_the_database_is_asked(
    session: LiveSession, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    SellingSwitch.objects.create(
        scope="session", scope_id=session.id, stopped_at=datetime.now(UTC), changed_at=datetime.now(UTC)
    )

    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(purchases(session), headers=signed_in(session), json=wish(offer))

    answer = play(story)

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "selling_stopped"


BAD_INPUT: list[tuple[dict[str, str], Any, int, str]] = [
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
    ({}, {"content_id": "a\x00b"}, 422, "malformed_request"),
    ({}, {"quantity": 0}, 422, "quantity_out_of_range"),
    ({}, {"quantity": 2**63}, 422, "quantity_out_of_range"),
    ({}, {"unit_price_fen": 2**70}, 409, "price_changed"),
    ({}, {"offer": "off_x"}, 404, "malformed_id"),
]


def test_bad_input_is_refused_with_its_code(session: LiveSession, offer: Offer) -> None:
    async def story(client: httpx.AsyncClient) -> list[tuple[int, str]]:
        heard = []
        for headers, body, _, _ in BAD_INPUT:
            content = body if isinstance(body, bytes) else json.dumps(wish(offer, **body)).encode()
            sent = signed_in(session, **{"Content-Type": "application/json", **headers})
            answer = await client.post(purchases(session), headers=sent, content=content)
            heard.append((answer.status_code, answer.json()["error"]["code"]))
        return heard

    assert play(story) == [(status, code) for _, _, status, code in BAD_INPUT]
    assert Purchase.objects.count() == 0


def test_a_customer_who_hammers_is_told_when_to_come_back(session: LiveSession, offer: Offer) -> None:
    headers = signed_in(session)

    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post(purchases(session), headers=headers, json=wish(offer)) for _ in range(80)]

    heard = play(story)
    turned_away = [answer for answer in heard if answer.status_code == 429]

    assert {answer.status_code for answer in heard[:30]} == {200, 201}
    assert turned_away
    assert int(turned_away[0].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("silent_times", "answer"), [(0, "voucher_not_found"), (99, "issuer_does_not_answer")], ids=["answered", "silent"]
)
def test_a_clerk_who_guesses_codes_is_stopped_and_her_colleague_is_not(silent_times: int, answer: str) -> None:
    brand = factories.brand()
    store = factories.store(brand, entity=factories.entity(brand))
    platform = FakePlatform(lose_requests=silent_times)
    fake_platform.honoured_at(store, platform)
    guessing, honest = (factories.staff(brand, store=store).user for _ in range(2))

    async def story(client: httpx.AsyncClient) -> tuple[list[str], str]:
        async def try_code(user: User) -> str:
            headers = {
                "Authorization": f"Bearer {sign_staff(user_id=user.id, at=datetime.now(UTC)).text}",
                "Idempotency-Key": str(uuid4()),
                "X-Forwarded-For": user.public_id,
            }
            path = f"/api/v1/stores/{store.public_id}/redemptions"
            heard = await client.post(path, headers=headers, json={"codes": ["123456789012"]})
            return str(heard.json()["error"]["code"])

        return [await try_code(guessing) for _ in range(22)], await try_code(honest)

    with fake_platform.connected(platform):
        guesses, colleague = play(story)

    assert guesses[:20] == [answer] * 20
    assert guesses[-1] == "too_many_requests"
    assert colleague == answer


def test_staff_cannot_buy_and_english_is_spoken_on_request(session: LiveSession, offer: Offer) -> None:
    staff = sign_staff(user_id=uuid4(), at=datetime.now(UTC)).text
    headers = signed_in(session, **{"Authorization": f"Bearer {staff}", "Accept-Language": "en"})

    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(purchases(session), headers=headers, json=wish(offer))

    answer = play(story)

    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "Your role does not allow this."


def test_what_is_not_the_lanes_is_a_plain_404_without_a_site_behind() -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/api/v1/elsewhere")

    assert play(story).json()["error"]["code"] == "no_such_page"
