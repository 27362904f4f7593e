"""The Celery application: three queues, so that a slow webhook never delays a voucher."""

import os
from typing import Any

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

app = Celery("hexiao")
app.set_default()  # for threads too: without it only this one knows the application, and nudges come from another
_url = settings.REDIS_URL
app.conf.update(
    # Celery spells a Redis on a unix socket, and the number of its database there, its own way.
    broker_url=_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host="),
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2, "visibility_timeout": 600},
    task_queues=[Queue("issue"), Queue("stock"), Queue("outside")],
    task_default_queue="issue",
    task_ignore_result=True,
    # A message is a nudge: done twice or lost, the rows decide.
    task_acks_late=False,
    task_time_limit=120,
    task_soft_time_limit=90,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    timezone="UTC",
)
app.autodiscover_tasks()


def every(seconds: float, task_name: str, queue: str) -> dict[str, Any]:
    """A beat entry; a tick that could not run in its own period is dropped, the next one finds the same work."""
    return {"task": task_name, "schedule": seconds, "options": {"queue": queue, "expires": seconds}}


app.conf.beat_schedule = {
    "apply-notices": every(1, "orders.apply_notices", "issue"),
    "close-unpaid": every(5, "orders.close_unpaid", "outside"),
    "close-unpaid-surcharges": every(5, "orders.close_unpaid_surcharges", "outside"),
    "lapse-unpaid-orders": every(5, "orders.lapse_unpaid_orders", "outside"),
    "sweep-store-orders": every(15, "orders.sweep_store_orders", "issue"),
    "send-refunds": every(2, "orders.send_refunds", "outside"),
    "issue-paid": every(2, "orders.issue_paid", "issue"),
    "issue-granted": every(5, "vouchers.issue_granted", "issue"),
    "reverse-granted": every(30, "vouchers.reverse_granted", "issue"),
    "extend-sold": every(15, "vouchers.extend_sold", "issue"),
    "expire-due": every(30, "vouchers.expire_due", "issue"),
    "ask-issuers": every(5, "vouchers.ask_issuers", "outside"),
    "release-overdue": every(5, "vouchers.release_overdue", "issue"),
    "settle": every(5, "orders.settle", "stock"),
    "close-accounts": every(600, "orders.close_accounts", "stock"),
    "fold-transfers": every(5, "orders.fold_transfers", "issue"),
    "close-due-offers": every(5, "vouchers.close_due_offers", "issue"),
    "close-due-sessions": every(5, "livestream.close_due_sessions", "issue"),
    "fetch-bills": every(1_800, "orders.fetch_bills", "outside"),
    "write-exports": every(30, "orders.write_exports", "outside"),
    "refund-expired": every(5, "orders.refund_expired", "issue"),
    "refund-recalled": every(5, "orders.refund_recalled", "issue"),
    "settle-stock": every(2, "stores.settle_stock", "stock"),
    "dispatch-outbox": every(2, "stores.dispatch_outbox", "outside"),
    "deliver-webhooks": every(2, "stores.deliver_webhooks", "outside"),
    "prune-outbox": every(3_600, "stores.prune_outbox", "outside"),
    "forget-sign-ins": every(600, "stores.forget_sign_ins", "outside"),
    "drain-closed": every(60, "orders.drain_closed", "issue"),
    "audit-recent": every(60, "orders.audit_recent", "stock"),
}
