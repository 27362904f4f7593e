"""One act squeezed into another: begun when the other has looked and not yet written."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.patience import LIMIT_SECONDS, until
from tests.races.waiting import Watch, this_backend


class Squeezed:
    """The inner act; ``answer()`` after the outer act has ended."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self._answer: Any = None
        self._backend: int | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start it, once, and wait until it is done or PostgreSQL shows it waiting for the outer act."""
        if self._thread is None:
            outer, self._thread = this_backend(), threading.Thread(target=self._run)
            self._thread.start()
            with Watch() as watch:
                until(
                    lambda: not self._is_running() or self._backend in watch.waiting_for([outer]),
                    otherwise="the inner act neither ends nor waits for the outer one",
                )

    def answer(self) -> Any:
        assert self._thread is not None, "the outer act never came to the place of the squeeze"
        self._thread.join(LIMIT_SECONDS)
        assert not self._thread.is_alive(), "the inner act hangs"
        return self._answer

    def _is_running(self) -> bool:
        assert self._thread is not None
        self._thread.join(0.01)
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._backend = this_backend()
            self._answer = self._act()
        except Exception as error:  # noqa: BLE001 - the test looks at every outcome
            self._answer = error
        finally:
            connection.close()


def squeeze(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], Any]) -> Squeezed:
    """Begin ``act`` right after this thread's first call of ``module.name`` has returned."""
    real, inner, outer_thread = getattr(module, name), Squeezed(act), threading.current_thread()

    def then_squeeze(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        if threading.current_thread() is outer_thread:
            inner.begin()
        return answer

    monkeypatch.setattr(module, name, then_squeeze)
    return inner
