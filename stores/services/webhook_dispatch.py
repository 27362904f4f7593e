"""
From the outbox to deliveries: one row for each message and each subscription that wants it.

Messages are claimed by state (``dispatched_at`` is null), never by a position: a row that commits late
is found all the same. A message belongs to the subscriptions that began before it and had not ended
when it was dispatched.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from config.kernel import ids
from config.kernel.models import OutboxMessage
from stores.models import WebhookDelivery, WebhookSubscription

KEPT_DAYS = 30
DISPATCH_LOCK = 0x6865_7869_616F  # "hexiao"; subscribing takes it alone, dispatchers share it


def dispatch(*, limit: int, at: datetime) -> int:
    """Make the deliveries of at most ``limit`` messages; returns how many messages there were."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [DISPATCH_LOCK])
        messages = list(
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(dispatched_at__isnull=True)
            .defer("items")
            .order_by("id")[:limit]
        )
        listening = _listening({message.brand_id for message in messages}, at=at)
        WebhookDelivery.objects.bulk_create(
            [
                _delivery(subscription, message, at=at)
                for message in messages
                for subscription in listening[message.brand_id]
                if _wants(subscription, message)
            ],
            ignore_conflicts=True,
        )
        OutboxMessage.objects.filter(id__in=[message.id for message in messages]).update(dispatched_at=at)
        return len(messages)


def hold_dispatch() -> None:
    """Runs inside the caller's transaction: until it ends no message is dispatched."""
    assert connection.in_atomic_block, "the lock ends with the transaction"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DISPATCH_LOCK])


def deliveries_since(subscription: WebhookSubscription, *, at: datetime) -> None:
    """
    Runs inside the caller's transaction, which holds dispatch: what was dispatched without the new subscription.

    The subscription counts from ``at``, which was read before the wait for the dispatchers.
    """
    missed = OutboxMessage.objects.filter(
        brand_id=subscription.brand_id, occurred_at__gte=subscription.created_at, dispatched_at__isnull=False
    ).defer("items")
    WebhookDelivery.objects.bulk_create(
        [_delivery(subscription, message, at=at) for message in missed if _wants(subscription, message)]
    )


def prune(*, limit: int, at: datetime) -> int:
    """Forget at most ``limit`` messages, with their deliveries, ``KEPT_DAYS`` after they were dispatched."""
    horizon = at - timedelta(days=KEPT_DAYS)
    due = WebhookDelivery.objects.filter(message=OuterRef("pk"), status=WebhookDelivery.Status.DUE)
    with transaction.atomic(durable=True):
        old = list(
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(~Exists(due), id__lt=ids.first_of(horizon), dispatched_at__lt=horizon)
            .order_by("id")
            .values_list("id", flat=True)[:limit]
        )
        WebhookDelivery.objects.filter(message__in=old).delete()
        OutboxMessage.objects.filter(id__in=old).delete()
        return len(old)


def _listening(brand_ids: Iterable[UUID], *, at: datetime) -> dict[UUID, list[WebhookSubscription]]:
    found: dict[UUID, list[WebhookSubscription]] = defaultdict(list)
    open_at = Q(ended_at__isnull=True) | Q(ended_at__gt=at)
    for subscription in WebhookSubscription.objects.filter(open_at, brand_id__in=brand_ids):
        found[subscription.brand_id].append(subscription)
    return found


def _wants(subscription: WebhookSubscription, message: OutboxMessage) -> bool:
    return subscription.created_at <= message.occurred_at and (
        "*" in subscription.topics or message.topic in subscription.topics
    )


def _delivery(subscription: WebhookSubscription, message: OutboxMessage, *, at: datetime) -> WebhookDelivery:
    return WebhookDelivery(subscription=subscription, message=message, due_at=at, created_at=at)
