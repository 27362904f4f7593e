"""Webhooks: from an announcement to the receiver, and what happens when she is not there."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from config.accounts import tokens
from config.kernel import outbox
from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry, OutboxMessage
from stores import tasks
from stores.errors import WebhookEnded
from stores.models import ApiClient, Brand, WebhookDelivery, WebhookSubscription
from stores.services import api_clients, webhook_calls, webhook_delivery, webhook_dispatch, webhooks
from stores.services.webhook_calls import Call, Outcome
from stores.services.webhook_delivery import RETRY_AFTER
from tests import factories
from tests.factories import NOW
from tests.patience import LIMIT_SECONDS
from tests.stores.receiver import Receiver, receiver, says

pytestmark = pytest.mark.django_db

PROGRAM = Caller(kind=CallerKind.API_CLIENT, id=uuid4())
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings: Settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def subscribe(brand: Brand, url: str, *topics: str, at: datetime = NOW) -> webhooks.Subscribed:
    return webhooks.subscribe(
        brand_id=brand.id, url=url, topics=topics or ("*",), request_id=uuid4(), by=PROGRAM, at=at
    )


def announce(brand: Brand, topic: str = "vouchers.issued", *, at: datetime = NOW) -> OutboxMessage:
    with transaction.atomic():
        return outbox.announce(brand_id=brand.id, topic=topic, items=[{"voucher": "vch_1"}], at=at)


def dispatch_and_deliver(at: datetime) -> None:
    webhook_dispatch.dispatch(limit=100, at=at)
    webhook_delivery.deliver_due(limit=64, at=at)


def state(delivery: WebhookDelivery | None = None) -> tuple[str, int]:
    found = WebhookDelivery.objects.get(**({"id": delivery.id} if delivery else {}))
    return found.status, found.attempts


def test_what_is_announced_arrives_signed(told: Receiver, brand: Brand) -> None:
    at = datetime.now(UTC)  # the library judges timestamps by its own clock
    made = subscribe(brand, told.url, at=at)
    message = announce(brand, at=at)

    dispatch_and_deliver(at + SECOND)

    (heard,) = told.heard
    assert heard.headers["webhook-id"] == message.public_id
    assert Webhook(made.secret).verify(heard.body, heard.headers) == {
        "type": "vouchers.issued",
        "timestamp": at.isoformat(),
        "data": {"brand": brand.public_id, "items": [{"voucher": "vch_1"}]},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(heard.body.replace(b"vch_1", b"vch_2"), heard.headers)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.last_status_code, delivery.delivered_at) == ("delivered", 204, at + SECOND)


def test_the_secret_is_24_bytes_or_more_and_is_not_in_the_database(told: Receiver, brand: Brand) -> None:
    made = subscribe(brand, told.url)

    assert made.secret.startswith("whsec_")
    assert len(base64.b64decode(made.secret.removeprefix("whsec_"))) == 32
    stored = bytes(WebhookSubscription.objects.get().secret_encrypted)
    assert base64.b64decode(made.secret.removeprefix("whsec_")) not in stored
    assert made.secret.encode() not in stored
    assert webhooks.secret_of(WebhookSubscription.objects.get()) == made.secret


def test_a_subscriber_hears_her_topics_and_her_brand_only(told: Receiver, brand: Brand) -> None:
    subscribe(brand, told.url, "vouchers.redeemed")
    announce(brand, "vouchers.issued")
    wanted = announce(brand, "vouchers.redeemed")
    announce(factories.brand(), "vouchers.redeemed")

    dispatch_and_deliver(NOW)

    assert [heard.headers["webhook-id"] for heard in told.heard] == [wanted.public_id]
    assert not OutboxMessage.objects.filter(dispatched_at__isnull=True).exists()


def test_what_was_announced_before_she_subscribed_is_not_told(told: Receiver, brand: Brand) -> None:
    announce(brand, at=NOW - SECOND)
    subscribe(brand, told.url)

    dispatch_and_deliver(NOW)

    assert told.heard == []


def test_what_was_dispatched_while_she_was_subscribing_is_told_all_the_same(told: Receiver, brand: Brand) -> None:
    """Her ``at`` was read, then she waited for a dispatcher that did not know her yet."""
    announce(brand, at=NOW + SECOND)
    webhook_dispatch.dispatch(limit=100, at=NOW + 2 * SECOND)

    subscribe(brand, told.url, at=NOW)

    webhook_delivery.deliver_due(limit=64, at=NOW + 3 * SECOND)
    assert len(told.heard) == 1


def test_dispatching_twice_makes_one_delivery(told: Receiver, brand: Brand) -> None:
    subscribe(brand, told.url)
    announce(brand)

    assert webhook_dispatch.dispatch(limit=100, at=NOW) == 1
    assert webhook_dispatch.dispatch(limit=100, at=NOW) == 0
    assert WebhookDelivery.objects.count() == 1


def test_failures_are_tried_again_for_three_days_and_then_given_up(told: Receiver, brand: Brand) -> None:
    told.answer = lambda handler: says(handler, 500)
    subscribe(brand, told.url)
    announce(brand)
    at = NOW
    dispatch_and_deliver(at)

    waits = []
    while WebhookDelivery.objects.get().status == "due":
        due_at = WebhookDelivery.objects.get().due_at
        assert webhook_delivery.deliver_due(limit=64, at=due_at - SECOND) == 0
        waits.append(due_at - at)
        at = due_at
        assert webhook_delivery.deliver_due(limit=64, at=at) == 1

    assert state() == ("given_up", 10)
    assert len(told.heard) == 10
    assert len({heard.body for heard in told.heard}) == 1
    assert len({heard.headers["webhook-id"] for heard in told.heard}) == 1
    for wait, recommended in zip(waits, RETRY_AFTER, strict=True):
        assert 0.9 * recommended <= wait <= 1.1 * recommended
    assert timedelta(days=2.5) < at - NOW < timedelta(days=3.5)
    assert webhook_delivery.deliver_due(limit=64, at=at + timedelta(days=30)) == 0


def test_a_receiver_that_comes_back_hears_it(told: Receiver, brand: Brand) -> None:
    told.answer = lambda handler: says(handler, 503)
    subscribe(brand, told.url)
    announce(brand)
    dispatch_and_deliver(NOW)
    assert state() == ("due", 1)
    told.answer = lambda handler: says(handler, 200)

    webhook_delivery.deliver_due(limit=64, at=NOW + timedelta(seconds=6))

    assert state() == ("delivered", 2)


def test_a_receiver_that_says_gone_is_not_asked_again(told: Receiver, brand: Brand) -> None:
    told.answer = lambda handler: says(handler, 410)
    subscribe(brand, told.url)
    announce(brand)
    dispatch_and_deliver(NOW)

    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.last_status_code) == ("given_up", 410)
    assert WebhookSubscription.objects.get().ended_at == NOW
    assert AuditEntry.objects.get(act="webhook.ended").actor_kind == "machine"


def test_no_transaction_is_open_while_a_receiver_is_called(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    began_in = len(connection.savepoint_ids)
    depth = []

    def post(call: Call) -> Outcome:
        return Outcome(status_code=200, error="")

    def record(*args: Any, **kwargs: Any) -> Any:
        depth.append(len(connection.savepoint_ids))
        return really(*args, **kwargs)

    really = webhook_delivery._record
    monkeypatch.setattr(webhook_calls, "post", post)
    monkeypatch.setattr(webhook_delivery, "_record", record)
    subscribe(brand, "http://127.0.0.1:9/hook")
    announce(brand)

    dispatch_and_deliver(NOW)

    assert depth == [began_in]
    assert state() == ("delivered", 1)


def test_a_worker_that_died_leaves_its_deliveries_to_the_next(told: Receiver, brand: Brand) -> None:
    subscribe(brand, told.url)
    announce(brand)
    webhook_dispatch.dispatch(limit=100, at=NOW)
    assert len(webhook_delivery._claim(limit=64, at=NOW)) == 1  # and it dies here

    assert webhook_delivery.deliver_due(limit=64, at=NOW + timedelta(seconds=60)) == 0
    assert webhook_delivery.deliver_due(limit=64, at=NOW + webhook_delivery.LEASE) == 1
    assert state() == ("delivered", 2)


def test_a_late_answer_does_not_overwrite_a_later_claim(brand: Brand) -> None:
    subscribe(brand, "http://127.0.0.1:9/hook")
    announce(brand)
    webhook_dispatch.dispatch(limit=100, at=NOW)
    (stale,) = webhook_delivery._claim(limit=64, at=NOW)
    (fresh,) = webhook_delivery._claim(limit=64, at=NOW + webhook_delivery.LEASE)
    webhook_delivery._record(fresh, Outcome(status_code=200, error=""), at=NOW + webhook_delivery.LEASE)

    webhook_delivery._record(stale, Outcome(status_code=500, error=""), at=NOW + webhook_delivery.LEASE)

    assert state() == ("delivered", 2)


def test_a_receiver_that_hangs_delays_itself_and_nobody_else(
    told: Receiver, brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_calls, "SECONDS", 0.5)
    released = Event()
    with receiver() as dead:
        dead.answer = lambda handler: released.wait(LIMIT_SECONDS) and None
        subscribe(brand, dead.url)
        for _ in range(50):
            announce(brand)
        other = factories.brand()
        subscribe(other, told.url)
        announce(other)
        webhook_dispatch.dispatch(limit=100, at=NOW)

        tried = webhook_delivery.deliver_due(limit=64, at=NOW)

        assert not released.is_set()
        released.set()

    assert tried == webhook_delivery.OF_ONE_SUBSCRIPTION + 1
    assert len(told.heard) == 1


def test_ending_stops_what_is_due(told: Receiver, brand: Brand) -> None:
    made = subscribe(brand, told.url)
    announce(brand)
    webhook_dispatch.dispatch(limit=100, at=NOW)

    webhooks.end(subscription_id=made.subscription.id, by=PROGRAM, at=NOW + SECOND)
    announce(brand, at=NOW + SECOND)
    dispatch_and_deliver(NOW + 2 * SECOND)

    assert told.heard == []
    assert state() == ("given_up", 0)
    assert webhooks.end(subscription_id=made.subscription.id, by=PROGRAM, at=NOW + 5 * SECOND).ended_at == NOW + SECOND
    assert AuditEntry.objects.filter(act="webhook.ended").count() == 1


def test_a_delivery_made_while_the_subscription_was_ending_is_given_up(told: Receiver, brand: Brand) -> None:
    made = subscribe(brand, told.url)
    announce(brand)
    webhooks.end(subscription_id=made.subscription.id, by=PROGRAM, at=NOW + 2 * SECOND)
    webhook_dispatch.dispatch(limit=100, at=NOW + SECOND)  # its clock was read before the end
    assert state() == ("due", 0)

    webhook_delivery.deliver_due(limit=64, at=NOW + 3 * SECOND)

    assert (told.heard, state()) == ([], ("given_up", 0))


def test_resending_sends_the_same_message_once_more(told: Receiver, brand: Brand) -> None:
    subscribe(brand, told.url)
    announce(brand)
    dispatch_and_deliver(NOW)
    delivery = WebhookDelivery.objects.get()

    webhooks.resend(delivery_id=delivery.id, by=PROGRAM, at=NOW + timedelta(hours=1))
    assert webhook_delivery.deliver_due(limit=64, at=NOW + timedelta(hours=1)) == 1

    first, second = told.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert state() == ("delivered", 1)
    assert AuditEntry.objects.filter(act="webhook.resent", subject_id=delivery.id).exists()


def test_a_given_up_delivery_gets_all_its_retries_again(told: Receiver, brand: Brand) -> None:
    made = subscribe(brand, told.url)
    announce(brand)
    webhook_dispatch.dispatch(limit=100, at=NOW)
    WebhookDelivery.objects.update(status="given_up", attempts=10)
    told.answer = lambda handler: says(handler, 500)
    webhooks.resend(delivery_id=WebhookDelivery.objects.get().id, by=PROGRAM, at=NOW)

    webhook_delivery.deliver_due(limit=64, at=NOW)

    assert state() == ("due", 1)
    webhooks.end(subscription_id=made.subscription.id, by=PROGRAM, at=NOW)
    with pytest.raises(WebhookEnded):
        webhooks.resend(delivery_id=WebhookDelivery.objects.get().id, by=PROGRAM, at=NOW)


def test_old_messages_are_forgotten_with_their_deliveries_but_not_while_one_is_due(
    told: Receiver, brand: Brand
) -> None:
    at = datetime.now(UTC)
    subscribe(brand, told.url, "vouchers.issued", at=at)
    announce(brand, at=at)
    announce(brand, "vouchers.expired", at=at)
    dispatch_and_deliver(at)
    told.answer = lambda handler: says(handler, 500)
    waiting = announce(brand, at=at)
    dispatch_and_deliver(at)
    undispatched = announce(brand, at=at)

    assert webhook_dispatch.prune(limit=100, at=at + timedelta(days=29)) == 0
    assert webhook_dispatch.prune(limit=1, at=at + timedelta(days=31)) == 1
    assert webhook_dispatch.prune(limit=100, at=at + timedelta(days=31)) == 1
    assert webhook_dispatch.prune(limit=100, at=at + timedelta(days=31)) == 0

    assert set(OutboxMessage.objects.values_list("id", flat=True)) == {waiting.id, undispatched.id}
    assert WebhookDelivery.objects.get().message_id == waiting.id


def test_the_tasks_do_all_of_it(told: Receiver, brand: Brand) -> None:
    at = datetime.now(UTC) - SECOND
    subscribe(brand, told.url, at=at)
    for _ in range(20):
        announce(brand, at=at)

    tasks.dispatch_outbox()
    tasks.deliver_webhooks()
    tasks.prune_outbox()

    assert len(told.heard) == 20
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert OutboxMessage.objects.count() == 20


@pytest.fixture
def key(brand: Brand) -> str:
    made = api_clients.create(
        brand_id=brand.id, name="POS", scopes=[ApiClient.Scope.WEBHOOKS], by=PROGRAM, at=datetime.now(UTC)
    )
    return made.key


class Api:
    """The JSON edge under one credential."""

    def __init__(self, credential: str) -> None:
        self.headers = {"Authorization": f"Bearer {credential}"}

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return Client().post(f"/api/v1/{path}", body, "application/json", headers={**self.headers, **headers})

    def get(self, path: str) -> Any:
        return Client().get(f"/api/v1/{path}", headers=self.headers)

    def delete(self, path: str) -> Any:
        return Client().delete(f"/api/v1/{path}", headers=self.headers)


def code_of(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def test_a_program_subscribes_once_however_often_it_asks(brand: Brand, key: str, told: Receiver) -> None:
    api, request = Api(key), {"Idempotency-Key": str(uuid4())}
    body = {"url": told.url, "topics": ["vouchers.redeemed", "vouchers.issued"]}

    first, second = api.post("webhooks", body, **request), api.post("webhooks", body, **request)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["topics"] == ["vouchers.issued", "vouchers.redeemed"]
    assert WebhookSubscription.objects.get().brand_id == brand.id
    assert AuditEntry.objects.filter(act="webhook.subscribed").count() == 1
    other = api.post("webhooks", {**body, "topics": ["*"]}, **request)
    assert (other.status_code, code_of(other)) == (409, "idempotency_conflict")
    assert code_of(api.post("webhooks", body)) == "idempotency_key_required"
    (listed,) = api.get("webhooks").json()["items"]
    assert listed == {name: value for name, value in first.json().items() if name != "secret"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "https://example.com/", "topics": ["vouchers.isued"]}, "webhook_topic_unknown"),
        ({"url": "https://10.0.0.1/", "topics": ["*"]}, "webhook_url_refused"),
        ({"url": "javascript:alert(1)", "topics": ["*"]}, "webhook_url_refused"),
        ({"url": "https://example.com/", "topics": []}, "malformed_request"),
        ({"url": "https://example.com/" + "x" * 500, "topics": ["*"]}, "malformed_request"),
        ({"url": "https://example.com/", "topics": ["*"], "secret": "mine"}, "unknown_parameter"),
    ],
)
def test_a_subscription_that_could_not_work_is_refused(key: str, body: dict[str, Any], code: str) -> None:
    answer = Api(key).post("webhooks", body, **{"Idempotency-Key": str(uuid4())})

    assert (answer.status_code, code_of(answer)) == (422, code)
    assert WebhookSubscription.objects.count() == 0


def test_deliveries_are_listed_and_sent_again(brand: Brand, key: str, told: Receiver) -> None:
    api = Api(key)
    made = subscribe(brand, told.url)
    messages = [announce(brand, at=NOW + number * SECOND) for number in range(3)]
    dispatch_and_deliver(NOW + timedelta(minutes=1))
    path = f"webhooks/{made.subscription.public_id}/deliveries"

    page = api.get(f"{path}?limit=2&status=delivered").json()
    rest = api.get(f"{path}?limit=2&status=delivered&cursor={page['next']}").json()

    shown = page["items"] + rest["items"]
    assert {each["message"] for each in shown} == {message.public_id for message in messages}
    assert {each["last_status_code"] for each in shown} == {204}
    assert api.get(f"{path}?status=due").json() == {"items": [], "next": None}
    assert api.post(f"deliveries/{shown[0]['id']}/resend").json()["status"] == "due"
    assert len(api.get(f"{path}?status=due").json()["items"]) == 1


def test_ending_over_http(brand: Brand, key: str, told: Receiver) -> None:
    made = subscribe(brand, told.url)

    first, second = (Api(key).delete(f"webhooks/{made.subscription.public_id}") for _ in range(2))

    assert first.status_code == second.status_code == 200
    assert first.json()["ended_at"] == second.json()["ended_at"] is not None


def test_another_brands_webhooks_are_not_there(key: str, told: Receiver) -> None:
    other = factories.brand()
    made = subscribe(other, told.url)
    announce(other)
    webhook_dispatch.dispatch(limit=100, at=NOW)
    api = Api(key)

    assert code_of(api.delete(f"webhooks/{made.subscription.public_id}")) == "webhook_not_found"
    assert code_of(api.get(f"webhooks/{made.subscription.public_id}/deliveries")) == "webhook_not_found"
    delivery = WebhookDelivery.objects.get()
    assert code_of(api.post(f"deliveries/{delivery.public_id}/resend")) == "webhook_delivery_not_found"
    assert code_of(api.get("webhooks/sub_nonsense/deliveries")) == "malformed_id"
    assert WebhookSubscription.objects.get().ended_at is None


@pytest.mark.parametrize(
    ("role", "may"), [("owner", True), ("operator", True), ("finance", False), ("auditor", False), ("clerk", False)]
)
def test_of_people_owner_and_operator_may(brand: Brand, told: Receiver, role: str, *, may: bool) -> None:
    store = factories.store(brand) if role == "clerk" else None
    person = factories.staff(brand, role=role, store=store).user
    api = Api(tokens.sign_staff(user_id=person.id, at=datetime.now(UTC)).text)
    made = subscribe(brand, told.url)
    body = {"url": told.url, "topics": ["*"]}

    answers = [
        api.post("webhooks", body, **{"Idempotency-Key": str(uuid4())}),
        api.get("webhooks"),
        api.get(f"webhooks/{made.subscription.public_id}/deliveries"),
        api.delete(f"webhooks/{made.subscription.public_id}"),
    ]

    assert [answer.status_code for answer in answers] == ([201, 200, 200, 200] if may else [403] * 4)


def test_customers_and_strangers_and_keys_without_the_scope_may_not(brand: Brand, told: Receiver) -> None:
    made = subscribe(brand, told.url)
    at = datetime.now(UTC)
    customer = tokens.sign_customer(customer_id=uuid4(), brand_id=brand.id, at=at).text
    unscoped = api_clients.create(
        brand_id=brand.id, name="reports", scopes=[ApiClient.Scope.REPORTS], by=PROGRAM, at=at
    ).key

    for credential, code in ((customer, "not_allowed"), (unscoped, "not_allowed"), ("x.y.z", "not_signed_in")):
        assert code_of(Api(credential).get("webhooks")) == code
        assert code_of(Api(credential).delete(f"webhooks/{made.subscription.public_id}")) == code
