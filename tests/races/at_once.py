"""Acts that begin at the same moment, each in its own thread with its own connection."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from tests.races.waiting import LIMIT_SECONDS


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """The answer of each act in order; an act that raised answers with its exception."""
    together = threading.Barrier(len(acts))
    answers: list[Any] = [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        try:
            together.wait(LIMIT_SECONDS)
            answers[place] = act()
        except Exception as error:  # noqa: BLE001 - the test looks at every outcome
            answers[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive(), "an act hangs"
    return answers
