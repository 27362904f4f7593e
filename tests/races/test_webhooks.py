"""Subscribing, dispatching and delivering at the same moment lose nothing and double nothing."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from config.kernel import outbox
from config.kernel.caller import Caller, CallerKind
from config.kernel.models import OutboxMessage
from stores.models import Brand, WebhookDelivery
from stores.services import trail, webhook_calls, webhook_delivery, webhook_dispatch, webhooks
from stores.services.webhook_calls import Call, Outcome
from tests import factories
from tests.factories import NOW
from tests.races.at_once import GATE, at_once, at_once_through_the_gate
from tests.races.squeezed import squeeze

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

URL = "https://hooks.example.com/"
PROGRAM = Caller(kind=CallerKind.API_CLIENT, id=uuid4())
SECOND = timedelta(seconds=1)


def subscribe(brand: Brand) -> webhooks.Subscribed:
    return webhooks.subscribe(brand_id=brand.id, url=URL, topics=["*"], request_id=uuid4(), by=PROGRAM, at=NOW)


def announce(brand: Brand) -> None:
    with transaction.atomic():
        outbox.announce(brand_id=brand.id, topic="vouchers.issued", items=[{}], at=NOW + SECOND)


def dispatched_while_a_subscription_is_not_yet_committed(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many deliveries the new subscription has of a message announced after it began."""
    brand = factories.brand()

    def announced_and_dispatched() -> int:
        announce(brand)
        return webhook_dispatch.dispatch(limit=100, at=NOW + 2 * SECOND)

    dispatching = squeeze(monkeypatch, trail, "leave", announced_and_dispatched)
    subscribe(brand)
    assert dispatching.answer() == 1
    return WebhookDelivery.objects.count()


def test_a_message_announced_while_she_subscribes_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dispatched_while_a_subscription_is_not_yet_committed(monkeypatch) == 1


def test_without_holding_dispatch_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(webhooks, "hold_dispatch", lambda: None)

    assert dispatched_while_a_subscription_is_not_yet_committed(monkeypatch) == 0


def test_dispatchers_at_once_share_the_messages() -> None:
    brand = factories.brand()
    subscribe(brand)
    for _ in range(200):
        announce(brand)

    def dispatch_all() -> int:
        done = 0
        while count := webhook_dispatch.dispatch(limit=10, at=NOW + 2 * SECOND):
            done += count
        return done

    assert sum(at_once(*[dispatch_all] * 4)) == 200
    assert WebhookDelivery.objects.count() == 200
    assert not OutboxMessage.objects.filter(dispatched_at__isnull=True).exists()


def calls_of_two_workers(monkeypatch: pytest.MonkeyPatch) -> int:
    """How often one due delivery is sent by two workers that look for work at the same moment."""
    brand = factories.brand()
    subscribe(brand)
    announce(brand)
    webhook_dispatch.dispatch(limit=100, at=NOW + 2 * SECOND)
    calls: list[Call] = []

    def post(call: Call) -> Outcome:
        calls.append(call)
        return Outcome(status_code=200, error="")

    monkeypatch.setattr(webhook_calls, "post", post)
    acts = [lambda: webhook_delivery.deliver_due(limit=64, at=NOW + 3 * SECOND)] * 2
    assert max(at_once_through_the_gate(*acts)) == 1
    return len(calls)


LOCKING = "FOR UPDATE SKIP LOCKED"


def test_two_workers_send_a_delivery_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOCKING in webhook_delivery.CLAIM
    held = webhook_delivery.CLAIM.replace(LOCKING, f"{LOCKING}), gate AS ({GATE}", 1)
    monkeypatch.setattr(webhook_delivery, "CLAIM", held.replace("FROM next WHERE", "FROM next, gate WHERE"))

    assert calls_of_two_workers(monkeypatch) == 1


def test_without_the_lock_both_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    held = webhook_delivery.CLAIM.replace(LOCKING, f"), gate AS ({GATE}", 1)
    monkeypatch.setattr(webhook_delivery, "CLAIM", held.replace("FROM next WHERE", "FROM next, gate WHERE"))

    assert calls_of_two_workers(monkeypatch) == 2
