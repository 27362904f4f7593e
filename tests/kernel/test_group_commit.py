"""Group commit keeps its promises when a request, the connection or the caller fails."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import OperationalError, connections

from config.kernel import group_commit
from config.kernel.errors import Conflict, DomainError, InternalError, OutcomeUnknown, Overloaded
from config.kernel.group_commit import GroupCommit
from tests.patience import LIMIT_SECONDS, soon

pytestmark = pytest.mark.django_db(transaction=True)


class Refused(Conflict):
    code, zh, en = "refused_in_test", "不", "No."


class Act:
    """Answers ten times the request; 13 is poison, 7 is refused; ``gate`` holds the batch thread, ``begun`` says so."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.failures: list[Exception] = []

    def __call__(self, requests: Sequence[int]) -> list[int | DomainError]:
        self.begun.set()
        self.gate.wait(LIMIT_SECONDS)
        self.batches.append(list(requests))
        if self.failures:
            raise self.failures.pop(0)
        if 13 in requests:
            raise ValueError("poison")
        return [Refused() if request == 7 else request * 10 for request in requests]


@pytest.fixture
def act() -> Act:
    return Act()


@pytest.fixture
def group(act: Act) -> Iterator[GroupCommit[int, int]]:
    group: GroupCommit[int, int] = GroupCommit("test", act)
    group.start()
    yield group
    act.gate.set()
    group.stop()
    connections.close_all()


async def ask_all(group: GroupCommit[int, int], requests: Sequence[int]) -> list[Any]:
    return list(await asyncio.gather(*[group.submit(request) for request in requests], return_exceptions=True))


def test_everybody_gets_her_own_answer(group: GroupCommit[int, int]) -> None:
    answers = asyncio.run(ask_all(group, [1, 7, 3]))

    assert answers[0] == 10
    assert isinstance(answers[1], Refused)
    assert answers[2] == 30


def test_what_waits_while_a_batch_runs_becomes_the_next_batch(group: GroupCommit[int, int], act: Act) -> None:
    async def story() -> None:
        act.gate.clear()
        first = asyncio.create_task(group.submit(1))
        await soon(act.begun.is_set)
        rest = [asyncio.create_task(group.submit(n)) for n in (2, 3, 4)]
        await asyncio.sleep(0)  # each has put its request into the queue
        act.gate.set()
        await asyncio.gather(first, *rest)

    asyncio.run(story())

    assert act.batches == [[1], [2, 3, 4]]


def test_a_poisonous_request_fails_alone(group: GroupCommit[int, int], act: Act) -> None:
    async def story() -> list[Any]:
        act.gate.clear()
        waiting = [asyncio.create_task(group.submit(n)) for n in (1, 2, 13, 4, 5)]
        await soon(act.begun.is_set)
        act.gate.set()
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    answers = asyncio.run(story())

    assert [a for a in answers if not isinstance(a, Exception)] == [10, 20, 40, 50]
    assert isinstance(answers[2], InternalError)


def test_a_lost_connection_runs_the_same_batch_once_more(group: GroupCommit[int, int], act: Act) -> None:
    act.failures = [OperationalError("lost")]

    assert asyncio.run(ask_all(group, [1])) == [10]
    assert act.batches == [[1], [1]]


def test_a_connection_lost_twice_is_an_unknown_outcome(group: GroupCommit[int, int], act: Act) -> None:
    act.failures = [OperationalError("lost"), OperationalError("lost again")]

    (answer,) = asyncio.run(ask_all(group, [1]))

    assert isinstance(answer, OutcomeUnknown)
    assert asyncio.run(ask_all(group, [2])) == [20]


def test_a_caller_that_hangs_up_is_served_all_the_same(group: GroupCommit[int, int], act: Act) -> None:
    async def story() -> int:
        act.gate.clear()
        gone = asyncio.create_task(group.submit(1))
        await soon(act.begun.is_set)
        gone.cancel()
        act.gate.set()
        return await group.submit(2)

    assert asyncio.run(story()) == 20
    assert [1] in act.batches


def test_a_queue_that_would_wait_too_long_refuses_at_the_door(
    group: GroupCommit[int, int], act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> Any:
        act.gate.clear()
        held = [asyncio.create_task(group.submit(n)) for n in (1, 2)]
        await soon(act.begun.is_set)
        monkeypatch.setattr(group_commit, "WAIT_AT_MOST_SECONDS", 0.05)
        await asyncio.sleep(0.1)
        try:
            await group.submit(3)
        except Overloaded as refusal:
            return refusal.details
        finally:
            act.gate.set()
            await asyncio.gather(*held)

    assert asyncio.run(story()) == {"retry_after_seconds": 1}
    assert all(3 not in batch for batch in act.batches)


def test_stopping_serves_what_waits(act: Act) -> None:
    group: GroupCommit[int, int] = GroupCommit("stopping", act)

    async def story() -> list[Any]:
        waiting = [asyncio.create_task(group.submit(n)) for n in (1, 2)]
        await asyncio.sleep(0)
        group.start()
        await asyncio.to_thread(group.stop)
        return list(await asyncio.gather(*waiting))

    assert asyncio.run(story()) == [10, 20]


def test_an_idle_thread_wakes(group: GroupCommit[int, int]) -> None:
    """It waits without a time limit: who does not wake it is never answered."""

    async def story() -> int:
        await group.submit(1)
        await soon(lambda: group._is_idle)
        return await asyncio.wait_for(group.submit(2), LIMIT_SECONDS)

    assert asyncio.run(story()) == 20
