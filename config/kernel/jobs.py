"""
Nudges: telling a worker that there is work, without ever waiting for the broker.

A nudge carries no order. Losing it or doubling it changes nothing, because sweepers find the same
work by its state; so a nudge may be dropped whenever Redis is slow, frozen or gone.
"""

import atexit
import logging
import threading
import time
from queue import Full, Queue

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

WAITING_AT_MOST = 1_000
BREAKER_SECONDS = 5.0

_waiting: Queue[tuple[str, str]] = Queue(maxsize=WAITING_AT_MOST)
_pending: set[tuple[str, str]] = set()
_lock = threading.Lock()
_sender: threading.Thread | None = None


def nudge_after_commit(task_name: str, *, queue: str) -> None:
    """
    Ask for one run of ``task_name`` once the caller's transaction has committed.

    Never blocks and never raises: a daemon thread sends, with 200 ms sockets and a circuit breaker.
    The same nudge waiting twice is sent once.
    """
    transaction.on_commit(lambda: nudge(task_name, queue=queue))


def nudge(task_name: str, *, queue: str) -> None:
    """Ask for one run now; for callers that have committed already."""
    if not settings.NUDGES_ARE_SENT:
        return
    key = (task_name, queue)
    with _lock:
        if key in _pending:
            return
        try:
            _waiting.put_nowait(key)
        except Full:
            return  # the same as a lost nudge
        _pending.add(key)
        _start_sender()


def _start_sender() -> None:
    global _sender
    if _sender is None or not _sender.is_alive():
        _sender = threading.Thread(target=_send_forever, name="nudges", daemon=True)
        _sender.start()
        atexit.register(_flush, 0.5)


def _send_forever() -> None:
    closed_until = 0.0
    connection: Connection | None = None
    while True:
        key = _waiting.get()
        with _lock:
            _pending.discard(key)
        if time.monotonic() < closed_until:
            continue
        task_name, queue_name = key
        connection = connection or _quick_connection()
        try:
            current_app.send_task(task_name, queue=queue_name, retry=False, ignore_result=True, connection=connection)
        except (OperationalError, OSError) as error:
            closed_until = time.monotonic() + BREAKER_SECONDS
            connection = None  # not closed in order: that would wait for the broker again
            log.warning("broker does not answer (%s); nudges rest for %.0f s, sweepers go on", error, BREAKER_SECONDS)


def _quick_connection() -> Connection:
    """A connection that gives up after 200 ms; workers, who wait for messages, have slower ones."""
    seconds = settings.REDIS_SOCKET_SECONDS
    return current_app.connection_for_write(
        connect_timeout=seconds,
        transport_options={
            **current_app.conf.broker_transport_options,
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "max_retries": 0,
        },
    )


def _flush(seconds: float) -> None:
    """Give a short-lived process a moment to send what it has; sweepers find the rest."""
    until = time.monotonic() + seconds
    while not _waiting.empty() and time.monotonic() < until:
        time.sleep(0.01)
