"""
Deliveries on their way: claimed in one short transaction, sent outside any, recorded in another.

A claim moves ``due_at`` past the time that a call can take, so a worker that dies leaves its deliveries
to the next one; ``attempts`` is the fence that keeps a late answer from overwriting a later claim.
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from standardwebhooks.webhooks import Webhook

from config.kernel import ids
from config.kernel.caller import MACHINE
from stores.models import Brand, WebhookDelivery
from stores.services import webhook_calls, webhooks
from stores.services.webhook_calls import Call, Outcome

# The schedule that the Standard Webhooks specification recommends: ten attempts over about three days.
RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
AT_ONCE = 16
OF_ONE_SUBSCRIPTION = 8
"""So many calls side by side, so few of them to one receiver: a dead one delays itself."""
LEASE = timedelta(seconds=90)
CLAIMED_AT_MOST = 64
"""Four rounds of ten seconds, well within the lease."""
GONE = 410

CLAIM = """
WITH next AS (
    SELECT delivery.id FROM stores_webhookdelivery delivery
    WHERE delivery.id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY subscription_id ORDER BY due_at, id) AS place
            FROM stores_webhookdelivery WHERE status = 'due' AND due_at <= %(at)s
        ) waiting WHERE place <= %(of_one)s
        ORDER BY place LIMIT %(limit)s
    ) AND delivery.status = 'due' AND delivery.due_at <= %(at)s
    ORDER BY delivery.id FOR UPDATE SKIP LOCKED
)
UPDATE stores_webhookdelivery delivery
SET attempts = delivery.attempts + 1, last_attempt_at = %(at)s, due_at = %(lease)s
FROM next WHERE next.id = delivery.id
RETURNING delivery.id
"""


def deliver_due(*, limit: int, at: datetime) -> int:
    """
    Send at most ``limit`` due deliveries, several at once; returns how many were tried.

    Each receiver hears a message until it answers 2xx, for about three days. Takes ten seconds for
    every ``AT_ONCE`` receivers that do not answer.
    """
    assert limit <= CLAIMED_AT_MOST, "more calls than the lease has time for"
    claimed = _claim(limit=limit, at=at)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhooks") as threads:
        # Signed here and sent there: the threads touch no database.
        calls = [threads.submit(webhook_calls.post, call) for call in (call_of(each, at=at) for each in claimed)]
        for delivery, call in zip(claimed, calls, strict=True):
            _record(delivery, call.result(), at=at)
    return len(claimed)


def call_of(delivery: WebhookDelivery, *, at: datetime) -> Call:
    """
    One attempt in the form of Standard Webhooks; the body is the same at every one.

    The id is the message's, so receivers can tell repeats.
    """
    message = delivery.message
    told = {
        "type": message.topic,
        "timestamp": message.occurred_at.astimezone(UTC).isoformat(),
        "data": {"brand": ids.public(Brand.PREFIX, message.brand_id), "items": message.items},
    }
    body = orjson.dumps(told)
    signing = Webhook(webhooks.secret_of(delivery.subscription))
    headers = {
        "content-type": "application/json",
        "user-agent": "Hexiao-Webhooks/1",
        "webhook-id": message.public_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signing.sign(message.public_id, at.astimezone(UTC), body.decode()),
    }
    return Call(url=delivery.subscription.url, headers=headers, body=body)


def _claim(*, limit: int, at: datetime) -> Sequence[WebhookDelivery]:
    given: dict[str, Any] = {"at": at, "lease": at + LEASE, "limit": limit, "of_one": OF_ONE_SUBSCRIPTION}
    with transaction.atomic(durable=True):
        # Of those that ended while their messages were being dispatched.
        WebhookDelivery.objects.filter(
            status=WebhookDelivery.Status.DUE, due_at__lte=at, subscription__ended_at__lte=at
        ).update(status=WebhookDelivery.Status.GIVEN_UP, last_error=webhooks.ENDED)
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, given)
            claimed = [row[0] for row in cursor.fetchall()]
        return list(
            WebhookDelivery.objects.filter(id__in=claimed).select_related("subscription", "message").order_by("id")
        )


def _record(delivery: WebhookDelivery, outcome: Outcome, *, at: datetime) -> None:
    with transaction.atomic(durable=True):
        # Only what we claimed: not what was claimed anew, resent or given up meanwhile.
        WebhookDelivery.objects.filter(
            id=delivery.id, attempts=delivery.attempts, status=WebhookDelivery.Status.DUE
        ).update(
            last_status_code=outcome.status_code, last_error=outcome.error, **_state_after(delivery, outcome, at=at)
        )
    if outcome.status_code == GONE:
        # The specification's word for "stop": the receiver says it itself.
        webhooks.end(subscription_id=delivery.subscription_id, by=MACHINE, at=at)


def _state_after(delivery: WebhookDelivery, outcome: Outcome, *, at: datetime) -> dict[str, Any]:
    if outcome.is_success:
        return {"status": WebhookDelivery.Status.DELIVERED, "delivered_at": at}
    if delivery.attempts > len(RETRY_AFTER) or outcome.status_code == GONE:
        return {"status": WebhookDelivery.Status.GIVEN_UP}
    # A tenth more or less, so that a receiver coming back is not met by all of them at once.
    spread = random.uniform(0.9, 1.1)  # noqa: S311 - nobody gains by guessing it
    return {"due_at": at + RETRY_AFTER[delivery.attempts - 1] * spread}
