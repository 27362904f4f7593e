"""Webhook subscriptions: where a brand wants to be told what, in the form of Standard Webhooks."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from config.kernel import personal_data
from config.kernel.caller import Caller
from config.kernel.errors import IdempotencyConflict
from config.kernel.outbox import TOPICS
from stores.errors import WebhookDeliveryNotFound, WebhookEnded, WebhookNotFound, WebhookTopicUnknown
from stores.models import WebhookDelivery, WebhookSubscription
from stores.services import trail, webhook_calls
from stores.services.webhook_dispatch import deliveries_since, hold_dispatch

EVERYTHING = "*"
ENDED = "the subscription ended"
SECRET_PURPOSE = "webhook-secret"  # noqa: S105 - what the key is for, not the key


@dataclass(frozen=True)
class Subscribed:
    """``secret`` signs what is sent; only this answer, and its repeats, carry it."""

    subscription: WebhookSubscription
    secret: str
    is_new: bool


def subscribe(
    *, brand_id: UUID, url: str, topics: Sequence[str], request_id: UUID, by: Caller, at: datetime
) -> Subscribed:
    """
    Tell ``url`` from ``at`` on whatever is announced under ``topics`` (``*`` for all), at least once each.

    Safe to retry: the same ``request_id`` gives back the first answer.

    Raises:
        WebhookUrlRefused: not an address to send to.
        WebhookTopicUnknown: nothing is ever announced under one of them.
        IdempotencyConflict: ``request_id`` came before with another URL or other topics.
    """
    webhook_calls.check_url(url)
    wanted = sorted(set(topics))
    if unknown := [topic for topic in wanted if topic != EVERYTHING and topic not in TOPICS]:
        raise WebhookTopicUnknown(param="topics", unknown=", ".join(unknown), known=sorted(TOPICS))
    # The request is the subscription's key, so two copies of it cannot make two.
    key = uuid5(brand_id, request_id.hex)
    with transaction.atomic(durable=True):
        hold_dispatch()
        if first := WebhookSubscription.objects.filter(id=key).first():
            if (first.url, first.topics) != (url, wanted):
                raise IdempotencyConflict
            return Subscribed(first, secret_of(first), is_new=False)
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        subscription = WebhookSubscription.objects.create(
            id=key,
            brand_id=brand_id,
            url=url,
            topics=wanted,
            secret_encrypted=personal_data.seal(secret, purpose=SECRET_PURPOSE, bound_to=key.bytes),
            created_at=at,
        )
        # What was announced after `at` and dispatched before we held the dispatchers.
        deliveries_since(subscription, at=at)
        trail.leave(
            "webhook.subscribed", subscription, brand_id=brand_id, by=by, at=at, details={"url": url, "topics": wanted}
        )
        return Subscribed(subscription, secret, is_new=True)


def end(*, subscription_id: UUID, by: Caller, at: datetime) -> WebhookSubscription:
    """
    Send nothing any more; what was still due is given up. Repeating changes nothing.

    Raises:
        WebhookNotFound: there is none.
    """
    with transaction.atomic(durable=True):
        subscription = WebhookSubscription.objects.select_for_update().filter(id=subscription_id).first()
        if subscription is None:
            raise WebhookNotFound
        if subscription.ended_at is None:
            subscription.ended_at = at
            subscription.save(update_fields=["ended_at"])
            WebhookDelivery.objects.filter(subscription=subscription, status=WebhookDelivery.Status.DUE).update(
                status=WebhookDelivery.Status.GIVEN_UP, last_error=ENDED
            )
            trail.leave("webhook.ended", subscription, brand_id=subscription.brand_id, by=by, at=at, details={})
        return subscription


def resend(*, delivery_id: UUID, by: Caller, at: datetime) -> WebhookDelivery:
    """
    Send one message once more, with all its retries; one that is due anyway is due now.

    Raises:
        WebhookDeliveryNotFound: there is none.
        WebhookEnded: nobody listens any more.
    """
    with transaction.atomic(durable=True):
        delivery = (
            WebhookDelivery.objects.select_for_update(of=("self",))
            .select_related("subscription", "message")
            .filter(id=delivery_id)
            .first()
        )
        if delivery is None:
            raise WebhookDeliveryNotFound
        if delivery.subscription.ended_at is not None:
            raise WebhookEnded
        delivery.status = WebhookDelivery.Status.DUE
        delivery.delivered_at = None
        delivery.attempts = 0
        delivery.due_at = at
        delivery.save(update_fields=["status", "delivered_at", "attempts", "due_at"])
        trail.leave("webhook.resent", delivery, brand_id=delivery.subscription.brand_id, by=by, at=at, details={})
        return delivery


def secret_of(subscription: WebhookSubscription) -> str:
    """The key that signs, ``whsec_…``."""
    return personal_data.unseal(subscription.secret_encrypted, purpose=SECRET_PURPOSE, bound_to=subscription.id.bytes)
