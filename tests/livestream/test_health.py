"""The lane tells a probe whether it lives, and whether its refresher still sees the stage."""

from typing import Any

import httpx
import pytest

from livestream.lane import memory
from tests.livestream.served import play

pytestmark = pytest.mark.django_db(transaction=True)


def probed(blind_after_seconds: float) -> tuple[int, int]:
    async def story(client: httpx.AsyncClient) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory, "BLIND_AFTER_SECONDS", blind_after_seconds)
            return await answers(client)

    async def answers(client: httpx.AsyncClient) -> Any:
        live, ready = [await client.get(f"/health/{which}") for which in ("live", "ready")]
        return live.status_code, ready.status_code

    found: tuple[int, int] = play(story)
    return found


def test_a_lane_that_looks_is_ready() -> None:
    assert probed(memory.BLIND_AFTER_SECONDS) == (200, 200)


def test_a_blind_lane_lives_and_is_not_ready() -> None:
    assert probed(0.0) == (200, 503)
