"""Acts that begin at the same moment, each in its own thread with its own connection, and where they meet."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.patience import LIMIT_SECONDS, until
from tests.races.waiting import Watch, this_backend

GATE = "SELECT pg_advisory_xact_lock_shared(90210)"
"""Inside a statement: here it stands, its snapshot taken, while ``at_once_through_the_gate`` keeps the gate shut."""
CLOSE = "SELECT pg_advisory_lock(90210)"
OPEN = "SELECT pg_advisory_unlock(90210)"


class Company:
    """The acts of one ``at_once``."""

    def __init__(self, size: int) -> None:
        self.begin = threading.Barrier(size)
        self._size = size
        self._ended: list[int] = []

    def has_ended(self) -> None:
        self._ended.append(1)

    def nobody_else_can_come(self, watch: Watch, here: Collection[int]) -> bool:
        """Whether each of them is here, waits for a lock that only those here can give back, or has ended."""
        # In this order: who has ended cannot be found waiting afterwards and be counted twice.
        ended = len(self._ended)
        return ended + len({*here} | watch.waiting_for(here)) >= self._size

    def all_stand_before(self, watch: Watch, keeper: int) -> bool:
        """Whether each of them waits for the keeper of the gate, who is none of them, or has ended."""
        ended = len(self._ended)
        return ended + len(watch.waiting_for([keeper])) >= self._size


_company = threading.local()


class Meeting:
    """
    A place where acts that began at once meet before any goes on.

    Who cannot come is not waited for: with the guard in place they pass one by one, without it all of them are
    here together, and both are certain. Who comes later passes.
    """

    def __init__(self) -> None:
        self._here: list[int] = []
        self._is_over = False

    def come(self) -> None:
        company: Company = _company.mine
        self._here.append(this_backend())
        with Watch() as watch:
            until(
                lambda: self._is_over or company.nobody_else_can_come(watch, self._here),
                otherwise="the acts never met",
            )
        self._is_over = True


def meet_before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Before ``module.name`` everybody waits for the others."""
    act, meeting = getattr(module, name), Meeting()

    def wait_and_act(*args: Any, **named: Any) -> Any:
        meeting.come()
        return act(*args, **named)

    monkeypatch.setattr(module, name, wait_and_act)


def meet_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """After ``module.name`` everybody waits for the others."""
    act, meeting = getattr(module, name), Meeting()

    def act_and_wait(*args: Any, **named: Any) -> Any:
        answer = act(*args, **named)
        meeting.come()
        return answer

    monkeypatch.setattr(module, name, act_and_wait)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """The answer of each act in order; an act that raised answers with its exception."""
    return _run(acts, Company(len(acts)))


def at_once_through_the_gate(*acts: Callable[[], Any]) -> list[Any]:
    """``at_once``, with ``GATE`` shut until nobody else can come to it."""
    company = Company(len(acts))
    with _gate(company):
        return _run(acts, company)


def _run(acts: Collection[Callable[[], Any]], company: Company) -> list[Any]:
    answers: list[Any] = [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        _company.mine = company
        try:
            connection.ensure_connection()
            company.begin.wait(LIMIT_SECONDS)
            answers[place] = act()
        except Exception as error:  # noqa: BLE001 - the test looks at every outcome
            answers[place] = error
        finally:
            connection.close()
            company.has_ended()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive(), "an act hangs"
    return answers


@contextmanager
def _gate(company: Company) -> Iterator[None]:
    shut, failures = threading.Event(), list[Exception]()

    def keep() -> None:
        try:
            with connection.cursor() as cursor, Watch() as watch:
                cursor.execute(CLOSE)
                own = this_backend()
                shut.set()
                until(
                    lambda: company.all_stand_before(watch, own),
                    otherwise="somebody neither comes to the gate nor ends",
                )
                cursor.execute(OPEN)
        except Exception as error:  # noqa: BLE001 - raised below, in the test's own thread
            failures.append(error)
        finally:
            connection.close()

    keeper = threading.Thread(target=keep)
    keeper.start()
    assert shut.wait(LIMIT_SECONDS), failures
    yield
    keeper.join(LIMIT_SECONDS)
    assert not failures, failures
