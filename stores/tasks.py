"""The workers' edge: what the outside is told, in bounded batches; what a lost nudge left, beat finds."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from config.accounts import browser_sessions
from config.kernel import jobs
from stores.services import (
    consuming,
    customer_sessions,
    phone_codes,
    stock_settling,
    webhook_delivery,
    webhook_dispatch,
)

BATCHES_AT_MOST = 100
DELIVERING_AT_MOST = timedelta(seconds=40)
"""A round of calls to the dead takes forty seconds more; the soft time limit is ninety."""


@shared_task(name="stores.dispatch_outbox")
def dispatch_outbox() -> None:
    """Announcements into deliveries."""
    for _ in range(BATCHES_AT_MOST):
        if not webhook_dispatch.dispatch(limit=500, at=timezone.now()):
            break
        jobs.nudge("stores.deliver_webhooks", queue="outside")


@shared_task(name="stores.deliver_webhooks")
def deliver_webhooks() -> None:
    """Deliveries to their receivers."""
    until = timezone.now() + DELIVERING_AT_MOST
    while (at := timezone.now()) < until:
        if not webhook_delivery.deliver_due(limit=webhook_delivery.CLAIMED_AT_MOST, at=at):
            return


@shared_task(name="stores.prune_outbox")
def prune_outbox() -> None:
    """What was told a month ago, forgotten."""
    for _ in range(BATCHES_AT_MOST):
        if not webhook_dispatch.prune(limit=1_000, at=timezone.now()):
            return


@shared_task(name="stores.forget_sign_ins")
def forget_sign_ins() -> None:
    """Codes of yesterday, and sessions that are over: customers' and any browser's."""
    for forget in (phone_codes.forget, customer_sessions.forget, browser_sessions.forget):
        for _ in range(BATCHES_AT_MOST):
            if not forget(limit=1_000, at=timezone.now()):
                break


@shared_task(name="stores.settle_stock")
def settle_stock() -> None:
    """What was made and handed over, out of the stores' stock; then what it was made of."""
    for settle in (stock_settling.settle, consuming.consume):
        for _ in range(BATCHES_AT_MOST):
            if not settle(at=timezone.now()).lines:
                break
