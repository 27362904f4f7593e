"""Nudges: never waited for, whatever the broker does."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import current_app
from django.conf import settings as site
from django.db import transaction
from kombu import Connection
from kombu.exceptions import OperationalError
from pytest_django import Settings

import config.celery  # noqa: F401 - nudges go to this application
from config.kernel import jobs
from tests.kernel.frozen_redis import frozen_redis


@pytest.fixture(autouse=True)
def _nudges_are_sent(settings: Settings) -> Iterator[None]:
    settings.NUDGES_ARE_SENT = True
    yield
    with jobs._lock:
        jobs._pending.clear()
    while not jobs._waiting.empty():
        jobs._waiting.get_nowait()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: names.append(name))
    return names


def until(true: Callable[[], bool], seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


@pytest.mark.django_db(transaction=True)
def test_nudge_waits_for_the_commit(sent: list[str]) -> None:
    with transaction.atomic():
        jobs.nudge_after_commit("orders.issue_paid", queue="issue")
        time.sleep(0.05)
        assert sent == []

    assert until(lambda: sent == ["orders.issue_paid"])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_nudged_when_the_transaction_fails(sent: list[str]) -> None:
    def fails() -> None:
        with transaction.atomic():
            jobs.nudge_after_commit("orders.issue_paid", queue="issue")
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    time.sleep(0.05)

    assert sent == []


def test_the_same_nudge_waiting_twice_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held, sent = threading.Event(), []

    def send(name: str, **_: Any) -> None:
        held.wait(5)
        sent.append(name)

    monkeypatch.setattr(current_app, "send_task", send)
    jobs.nudge("first", queue="issue")
    assert until(lambda: jobs._waiting.empty())
    for _ in range(100):
        jobs.nudge("second", queue="issue")
    held.set()

    assert until(lambda: len(sent) == 2)
    time.sleep(0.02)
    assert sent == ["first", "second"]


def test_a_frozen_broker_delays_nobody_and_the_sender_hardly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "BREAKER_SECONDS", 0.05)
    began = time.monotonic()
    with frozen_redis() as url:
        broker, really = url.replace("unix://", "redis+socket://"), current_app.send_task

        def send_there(name: str, *, connection: Connection, **options: Any) -> None:
            really(name, connection=connection.clone(hostname=broker), **options)

        monkeypatch.setattr(current_app, "send_task", send_there)
        for number in range(2 * jobs.WAITING_AT_MOST):
            jobs.nudge(f"task{number}", queue="issue")
        nudged = time.monotonic() - began
        assert until(lambda: "broker does not answer (Timeout reading" in caplog.text)
        given_up = time.monotonic() - began

    assert nudged < 0.5
    assert given_up < 2
    time.sleep(0.1)


def test_a_dead_broker_is_left_in_peace_for_a_moment_and_then_hears_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BREAKER_SECONDS", 0.2)
    tries: list[str] = []
    alive = threading.Event()

    def send(name: str, **_: Any) -> None:
        tries.append(name)
        if not alive.is_set():
            raise OperationalError("gone")

    monkeypatch.setattr(current_app, "send_task", send)
    jobs.nudge("a", queue="issue")
    assert until(lambda: tries == ["a"])
    jobs.nudge("b", queue="issue")
    assert until(lambda: jobs._waiting.empty())
    time.sleep(0.3)
    alive.set()
    jobs.nudge("c", queue="issue")

    assert until(lambda: tries == ["a", "c"])


def test_a_nudge_is_a_message_in_the_queue() -> None:
    queue = f"test-{uuid4().hex}"
    there = redis.Redis.from_url(site.REDIS_URL)
    try:
        jobs.nudge("orders.issue_paid", queue=queue)
        assert until(lambda: there.llen(queue) == 1)
        message = json.loads(there.lpop(queue))
    finally:
        there.delete(queue, f"_kombu.binding.{queue}")
        there.close()

    assert message["headers"]["task"] == "orders.issue_paid"
