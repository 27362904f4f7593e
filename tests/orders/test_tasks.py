"""Workers drain what there is."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from config.celery import app
from orders import tasks
from orders.models import LedgerTransfer, Purchase, Refund
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from vouchers.services.expiry import expire_due

pytestmark = pytest.mark.django_db


def test_one_nudge_issues_everything_that_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    offer = factories.offer(factories.terms(factories.deal(factories.brand())))
    for _ in range(3):
        paid.purchase(offer=offer)
    limited(monkeypatch, "issuing", "issue_paid", limit=1)

    tasks.issue_paid()

    assert Purchase.objects.filter(status="issued").count() == 3


def test_one_nudge_folds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    paid.purchase()
    paid.purchase()
    limited(monkeypatch, "folding", "fold_transfers", limit=1)

    tasks.fold_transfers()

    assert not LedgerTransfer.objects.filter(folded_at__isnull=True).exists()


def test_one_tick_of_the_expiry_wave_is_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    paid.purchase(quantity=3)
    tasks.issue_paid()
    expire_due(limit=10, at=NOW + timedelta(days=60))
    limited(monkeypatch, "refunds", "refund_expired", limit=2)

    tasks.refund_expired()

    assert Refund.objects.count() == 2


def test_a_run_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        paid.purchase()
    limited(monkeypatch, "issuing", "issue_paid", limit=1)
    monkeypatch.setattr(tasks, "BATCHES_AT_MOST", 2)

    tasks.issue_paid()

    assert Purchase.objects.filter(status="paid").count() == 1


def test_beat_names_only_tasks_that_exist() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def limited(monkeypatch: pytest.MonkeyPatch, module: str, service: str, *, limit: int) -> None:
    """Let the task run the service in batches of ``limit``."""
    run: Callable[..., object] = getattr(getattr(tasks, module), service)
    monkeypatch.setattr(f"orders.services.{module}.{service}", lambda **named: run(**{**named, "limit": limit}))
