"""Nudges: never waited for, whatever the broker does."""

import json
import threading
import time
from collections.abc import Iterator
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
from tests.patience import LIMIT_SECONDS, until


@pytest.fixture(autouse=True)
def _nudges_are_sent(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And after each test the sender has done all that waited, and is not resting from a failure."""
    settings.NUDGES_ARE_SENT = True
    yield
    heard: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: heard.append(name))

    def is_heard() -> bool:
        jobs.nudge("awake", queue="test")
        return "awake" in heard

    until(is_heard)
    jobs.nudge("the end", queue="test")
    until(lambda: "the end" in heard)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: names.append(name))
    return names


@pytest.mark.django_db(transaction=True)
def test_nudge_waits_for_the_commit(sent: list[str]) -> None:
    with transaction.atomic():
        jobs.nudge_after_commit("orders.issue_paid", queue="issue")
        assert not jobs._pending

    until(lambda: sent == ["orders.issue_paid"])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_nudged_when_the_transaction_fails(sent: list[str]) -> None:
    def fails() -> None:
        with transaction.atomic():
            jobs.nudge_after_commit("orders.issue_paid", queue="issue")
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    jobs.nudge("afterwards", queue="issue")
    until(lambda: bool(sent))

    assert sent == ["afterwards"]


def test_the_same_nudge_waiting_twice_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held, sent = threading.Event(), []

    def send(name: str, **_: Any) -> None:
        held.wait(LIMIT_SECONDS)
        sent.append(name)

    monkeypatch.setattr(current_app, "send_task", send)
    jobs.nudge("first", queue="issue")
    until(lambda: not jobs._pending)
    for _ in range(100):
        jobs.nudge("second", queue="issue")
    jobs.nudge("third", queue="issue")
    held.set()

    until(lambda: "third" in sent)
    assert sent == ["first", "second", "third"]


def test_a_frozen_broker_delays_nobody_and_the_sender_hardly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.REDIS_SOCKET_SECONDS = 0.2
    monkeypatch.setattr(jobs, "BREAKER_SECONDS", 0.05)
    who_waited: set[str] = set()
    with frozen_redis() as url:
        broker, really = url.replace("unix://", "redis+socket://"), current_app.send_task

        def send_there(name: str, *, connection: Connection, **options: Any) -> None:
            who_waited.add(threading.current_thread().name)
            really(name, connection=jobs._quick_connection().clone(hostname=broker), **options)

        monkeypatch.setattr(current_app, "send_task", send_there)
        for number in range(2 * jobs.WAITING_AT_MOST):
            jobs.nudge(f"task{number}", queue="issue")
        until(lambda: "broker does not answer (Timeout reading" in caplog.text)

    assert who_waited == {"nudges"}


class Clock:
    """Stands still until it is moved; ``looks`` says how often somebody asked."""

    def __init__(self) -> None:
        self.now, self.looks = time.monotonic(), 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.now


def test_a_dead_broker_is_left_in_peace_for_a_moment_and_then_hears_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BREAKER_SECONDS", 0.2)
    clock = Clock()
    monkeypatch.setattr(jobs, "time", clock)
    tries: list[str] = []
    alive = threading.Event()

    def send(name: str, **_: Any) -> None:
        tries.append(name)
        if not alive.is_set():
            raise OperationalError("gone")

    monkeypatch.setattr(current_app, "send_task", send)
    jobs.nudge("a", queue="issue")
    until(lambda: clock.looks == 2, otherwise="it looks before it tries, and when it has failed")
    alive.set()
    jobs.nudge("b", queue="issue")
    until(lambda: clock.looks == 3)
    clock.now += 0.3
    jobs.nudge("c", queue="issue")

    until(lambda: len(tries) == 2)
    assert tries == ["a", "c"]
    until(lambda: time.monotonic() > clock.now)  # the sender's rest is over by the real clock too


def test_a_nudge_is_a_message_in_the_queue() -> None:
    queue = f"test-{uuid4().hex}"
    there = redis.Redis.from_url(site.REDIS_URL)
    try:
        jobs.nudge("orders.issue_paid", queue=queue)
        until(lambda: there.llen(queue) == 1)
        message = json.loads(there.lpop(queue))
    finally:
        there.delete(queue, f"_kombu.binding.{queue}")
        there.close()

    assert message["headers"]["task"] == "orders.issue_paid"
