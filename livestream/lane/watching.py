"""``GET live/{session}`` and ``GET live/{session}/events``: the live page's figures, as JSON and as a stream."""

import asyncio
from uuid import UUID

from config.kernel import ids
from config.kernel.errors import Overloaded
from livestream.errors import SessionNotFound
from livestream.lane.http import JSON, Call
from livestream.lane.memory import Memory
from livestream.models import LiveSession

MOST_WATCHERS = 10_000
PACE_SECONDS = 0.25
SILENCE_SECONDS = 15.0


class Watching:
    """Answers out of memory alone: watchers cost the database nothing."""

    def __init__(self, *, memory: Memory) -> None:
        self.memory = memory
        self.watchers = 0

    async def page(self, call: Call, session: str) -> None:
        call.refuse_parameters()
        page = self.memory.now.pages.get(ids.parse(LiveSession.PREFIX, session))
        if page is None:
            raise SessionNotFound
        await call.answer_bytes(200, page, (JSON, (b"cache-control", b"no-store")))

    async def stream(self, call: Call, session: str) -> None:
        """Server-sent events (HTML Living Standard 9.2), four a second at most, until session or watcher end."""
        call.refuse_parameters()
        session_id = ids.parse(LiveSession.PREFIX, session)
        if session_id not in self.memory.now.figures:
            raise SessionNotFound
        if self.watchers >= MOST_WATCHERS:
            raise Overloaded(retry_after_seconds=5)
        self.watchers += 1
        gone = asyncio.create_task(_hung_up(call))
        try:
            headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
            await call.send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._tell(call, session_id, gone)
        finally:
            self.watchers -= 1
            gone.cancel()

    async def _tell(self, call: Call, session_id: UUID, gone: "asyncio.Task[None]") -> None:
        told = b""
        while not gone.done():
            # Taken before the look, so that a change between look and wait is not slept through.
            change = self.memory.next_change
            figures = self.memory.now.figures.get(session_id)
            if figures is None:
                await _part(call, b"event: closed\ndata: {}\n\n", more=False)
                return
            if figures != told:
                await _part(call, b"event: figures\ndata: " + figures + b"\n\n")
                told = figures
            await asyncio.wait([gone], timeout=PACE_SECONDS)
            changed = asyncio.ensure_future(change.wait())
            done, _ = await asyncio.wait([gone, changed], timeout=SILENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if not done:
                await _part(call, b": still here\n\n")


async def _part(call: Call, payload: bytes, *, more: bool = True) -> None:
    await call.send({"type": "http.response.body", "body": payload, "more_body": more})


async def _hung_up(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass
