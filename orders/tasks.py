"""The workers' edge: each task drains its work in bounded batches; what a lost nudge left, beat finds."""

import logging

from celery import shared_task
from django.utils import timezone

from orders.invariants import auditing
from orders.services import (
    bill_fetching,
    draining,
    folding,
    issuing,
    month_close,
    notices,
    order_sweeps,
    recalls,
    refund_sending,
    refunds,
    settling,
    settling_cash,
    statement_exports,
    surcharge_endings,
    unpaid,
)

log = logging.getLogger(__name__)

BATCHES_AT_MOST = 200
"""A run ends after so many; the next tick goes on, and the soft time limit is far away."""
EXPIRED_A_RUN = 500
"""With a tick every 5 s at most 100 refunds a second: the lower end of what a provider takes in a wave."""
RECALLED_A_RUN = 500
AUDITED_MINUTES = 10
AUDITED_AT_MOST = 2_000
"""Purchases a sweep looks at, measured at 1 ms each: a snapshot of 2 s, since a long one slows the hot rows."""


@shared_task(name="orders.apply_notices")
def apply_notices() -> None:
    """What providers told, onto purchases and refunds."""
    for _ in range(BATCHES_AT_MOST):
        if not notices.apply_notices(limit=500, at=timezone.now()):
            return


@shared_task(name="orders.issue_paid")
def issue_paid() -> None:
    """Vouchers for what was paid."""
    for _ in range(BATCHES_AT_MOST):
        if not issuing.issue_paid(at=timezone.now()):
            return


@shared_task(name="orders.lapse_unpaid_orders")
def lapse_unpaid_orders() -> None:
    """Store orders nobody paid in time."""
    for _ in range(BATCHES_AT_MOST):
        if not order_sweeps.lapse_unpaid(limit=100, at=timezone.now()).closed:
            return


@shared_task(name="orders.sweep_store_orders")
def sweep_store_orders() -> None:
    """Store orders that nobody accepts, that a closed store left, or that closing time ends."""
    for sweep in (order_sweeps.look_after_unaccepted, order_sweeps.clear_closed_stores, order_sweeps.end_day):
        for _ in range(BATCHES_AT_MOST):
            if not sweep(limit=100, at=timezone.now()):
                break


@shared_task(name="orders.settle")
def settle() -> None:
    """Everybody paid for what can no longer be undone: uses, surcharges, cash of store orders."""
    for part in (settling.settle_uses, settling_cash.settle_surcharges, settling_cash.settle_order_cash):
        for _ in range(BATCHES_AT_MOST):
            if not part(limit=1_000, at=timezone.now()):
                break


@shared_task(name="orders.close_accounts")
def close_accounts() -> None:
    """The last statements of stores that closed; those whose day is not over are found again tomorrow."""
    month_close.close_accounts_of_closed_stores(limit=100, at=timezone.now())


@shared_task(name="orders.fold_transfers")
def fold_transfers() -> None:
    """Transfers into balances."""
    for _ in range(BATCHES_AT_MOST):
        if not folding.fold_transfers(limit=5_000, at=timezone.now()).transfers:
            return


@shared_task(name="orders.refund_expired")
def refund_expired() -> None:
    """One batch of the expiry wave; how often beat ticks is the wave's rate."""
    refunds.refund_expired(limit=EXPIRED_A_RUN, at=timezone.now())


@shared_task(name="orders.refund_recalled")
def refund_recalled() -> None:
    """One batch of what nobody can honour any more; beat's ticks are the wave's rate, as with expiry."""
    recalls.refund_recalled(limit=RECALLED_A_RUN, at=timezone.now())


@shared_task(name="orders.drain_closed")
def drain_closed() -> None:
    """What closed offers did not sell, back to their deals."""
    for _ in range(BATCHES_AT_MOST):
        if not draining.drain_closed(limit=100, at=timezone.now()):
            return


@shared_task(name="orders.audit_recent")
def audit_recent() -> None:
    """What was touched lately, checked; a broken rule is an alarm in the log."""
    with auditing.one_snapshot():
        _, results = auditing.look_at_recent(minutes=AUDITED_MINUTES, limit=AUDITED_AT_MOST, at=timezone.now())
    for result in results:
        for rule, count in result.broken.items():
            log.error("audit: %s %s is broken %d times, first %s", result.invariant, rule, count, result.first[rule])


@shared_task(name="orders.close_unpaid")
def close_unpaid() -> None:
    """Purchases nobody paid in time, after asking the provider; a silent one is left for the next tick."""
    for _ in range(BATCHES_AT_MOST):
        swept = unpaid.close_unpaid(limit=500, at=timezone.now())
        if not swept.closed + swept.captured:
            return


@shared_task(name="orders.close_unpaid_surcharges")
def close_unpaid_surcharges() -> None:
    """Surcharges nobody paid in time, after asking the provider; a silent one is left for the next tick."""
    for _ in range(BATCHES_AT_MOST):
        if not surcharge_endings.close_unpaid(limit=500, at=timezone.now()):
            return


@shared_task(name="orders.send_refunds")
def send_refunds() -> None:
    """Refunds on their way to their providers."""
    for _ in range(BATCHES_AT_MOST):
        if not refund_sending.send_refunds(limit=100, at=timezone.now()):
            return


@shared_task(name="orders.fetch_bills", soft_time_limit=1_700, time_limit=1_800)
def fetch_bills() -> None:
    """Providers' bills of ended days; a million lines take a minute, so it may last longer than the others."""
    bill_fetching.fetch_due(at=timezone.now())


@shared_task(name="orders.write_exports", soft_time_limit=1_500, time_limit=1_600)
def write_exports() -> None:
    """Workbooks that wait; one of a million lines takes minutes, so it may last longer than the others."""
    statement_exports.sweep(at=timezone.now())
    while statement_exports.write_due(at=timezone.now()):
        pass
