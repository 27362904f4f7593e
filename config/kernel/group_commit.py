"""
Group commit: many callers' requests in one transaction.

Requests wait on an event loop; one thread with one database connection of its own takes all that
wait, runs one plain synchronous function over them (one transaction), and answers each. The hot row
is locked once a batch, the log is flushed once a batch, and batches grow by themselves with the load.
The idea is PostgreSQL's own ``commit_delay`` and DeWitt et al. 1984, moved above the statements.

What is promised when things go wrong:

* data or a programmer's error: the batch is halved until the poisonous request stands alone; it
  fails with ``internal_error``, the others go through;
* the database or the connection: the connection is dropped and the same batch runs once more (every
  request carries a key that makes it safe), then its callers hear ``outcome_unknown``;
* a caller that has gone is served all the same; its answer finds nobody;
* a queue that would wait longer than a second refuses at the door with ``overloaded``.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError, connection

from config.kernel.errors import DomainError, InternalError, OutcomeUnknown, Overloaded

log = logging.getLogger(__name__)

WAIT_AT_MOST_SECONDS = 1.0
BATCH_TARGET_SECONDS = 0.05
SMALLEST_BATCH = 16
OWN_CONNECTION = """
    SET lock_timeout = '2s';
    SET statement_timeout = '5s';
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off
"""
"""Bounded waits; and every statement here goes by key, whatever an empty table's statistics suggest."""

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Execute = Callable[[Sequence[Request]], Sequence[Answer | DomainError]]


@dataclass(slots=True)
class _Waiting(Generic[Request, Answer]):
    request: Request
    answered: "asyncio.Future[Answer]"


@dataclass
class GroupCommit(Generic[Request, Answer]):
    """
    One act's batches. ``execute`` answers every request of a batch, in order, with an answer or a refusal.

    ``largest_batch`` bounds a batch; within it the size follows what a batch of 50 ms can hold.
    """

    name: str
    execute: Execute[Request, Answer]
    largest_batch: int = 512
    _queue: deque[_Waiting[Request, Answer]] = field(default_factory=deque)
    _wake: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _is_idle: bool = False
    _stopping: bool = False
    _running_since: float | None = None
    _thread: threading.Thread | None = None
    _batch_limit: int = 64
    _seconds_each: float = 0.0005

    def start(self) -> None:
        """Start the batch thread; once, in the process that serves."""
        assert self._thread is None, "started twice"
        self._thread = threading.Thread(target=self._run, name=f"batch-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve what waits, then end the thread."""
        self._stopping = True
        self._wake.release()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    async def submit(self, request: Request) -> Answer:
        """
        Wait for the batch that carries ``request``.

        Raises:
            Overloaded: the wait would be longer than a second; nothing was done.
            OutcomeUnknown: the database went away twice; ask again with the same key.
            DomainError: whatever ``execute`` answers for it.
        """
        now = time.monotonic()
        if self._wait_seconds(now) > WAIT_AT_MOST_SECONDS:
            raise Overloaded(retry_after_seconds=1)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request, answered))
        if self._is_idle:
            self._wake.release()
        # A caller that hangs up cancels this wait; its request stays in the queue and is served.
        return await answered

    def _wait_seconds(self, now: float) -> float:
        """How long a new request would wait: the work before it, or the batch that does not come back."""
        running_since = self._running_since or now
        return max(now - running_since, len(self._queue) * self._seconds_each)

    def _run(self) -> None:
        while True:
            if not self._queue:
                # Say idle first, then look again: a request that came between the two is seen or wakes us.
                self._is_idle = True
                if not self._queue and not self._stopping:
                    self._wake.acquire()
                self._is_idle = False
            size = min(len(self._queue), self._batch_limit)
            batch = [self._queue.popleft() for _ in range(size)]
            if batch:
                self._serve(batch)
            elif self._stopping:
                connection.close()
                return

    def _serve(self, batch: list[_Waiting[Request, Answer]]) -> None:
        self._running_since = began = time.monotonic()
        answers = self._answers([waiting.request for waiting in batch])
        self._running_since = None
        spent = time.monotonic() - began
        self._adapt(len(batch), spent)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Answer], Answer | DomainError]]] = {}
        for waiting, answer in zip(batch, answers, strict=True):
            by_loop.setdefault(waiting.answered.get_loop(), []).append((waiting.answered, answer))
        for loop, pairs in by_loop.items():
            try:
                loop.call_soon_threadsafe(_deliver, pairs)
            except RuntimeError:
                log.info("%s: %d answers found their server gone; the rows stand", self.name, len(pairs))

    def _adapt(self, size: int, spent: float) -> None:
        self._seconds_each += 0.2 * (spent / size - self._seconds_each)
        if spent > BATCH_TARGET_SECONDS:
            self._batch_limit = max(SMALLEST_BATCH, min(self._batch_limit, size) * 3 // 4)
        elif size >= self._batch_limit:
            self._batch_limit = min(self.largest_batch, self._batch_limit * 5 // 4 + 1)

    def _answers(self, requests: Sequence[Request]) -> Sequence[Answer | DomainError]:
        for is_last in (False, True):
            try:
                self._own_connection()
                return self.execute(requests)
            except (OperationalError, InterfaceError) as error:
                # Whether the commit arrived is unknown; the keys make asking again safe.
                connection.close()
                if is_last:
                    # A line, not a trace: while a database is away there is one of these a batch.
                    log.error("%s: a batch of %d has an unknown outcome: %s", self.name, len(requests), error)
                else:
                    log.info("%s: running a batch of %d once more after: %s", self.name, len(requests), error)
            except Exception:
                if len(requests) == 1:
                    log.exception("%s: a request fails by itself: %r", self.name, requests[0])
                    return [InternalError()]
                half = len(requests) // 2
                return [*self._answers(requests[:half]), *self._answers(requests[half:])]
        return [OutcomeUnknown()] * len(requests)

    def _own_connection(self) -> None:
        if connection.connection is not None and not connection.connection.closed:
            return
        connection.close()
        connection.ensure_connection()
        connection.connection.prepare_threshold = 0
        with connection.cursor() as cursor:
            cursor.execute(OWN_CONNECTION)


def _deliver(pairs: Sequence[tuple["asyncio.Future[Answer]", Answer | DomainError]]) -> None:
    for answered, answer in pairs:
        if answered.done():
            continue
        if isinstance(answer, DomainError):
            answered.set_exception(answer)
        else:
            answered.set_result(answer)
