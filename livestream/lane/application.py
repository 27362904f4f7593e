"""The lane as an ASGI application: its own operations natively, everything else to the site behind it."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from config.kernel import errors, health
from config.kernel.group_commit import GroupCommit
from livestream.lane.buying import Buying
from livestream.lane.http import Call, Disconnected, Receive, Scope, Send
from livestream.lane.memory import Memory
from livestream.lane.noticing import Noticing
from livestream.lane.redeeming import Redeeming
from livestream.lane.watching import Watching

log = logging.getLogger(__name__)

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Operation = Callable[[Call], Awaitable[None]]


class Lane:
    """
    ``site`` answers what is not the lane's; without one that is a 404.

    Its threads start with the server (ASGI lifespan), so that a forked worker has its own.
    """

    def __init__(
        self,
        *,
        buying: Buying,
        noticing: Noticing,
        redeeming: Redeeming,
        watching: Watching,
        memory: Memory,
        site: Application | None = None,
    ) -> None:
        self.buying = buying
        self.noticing = noticing
        self.redeeming = redeeming
        self.watching = watching
        self.memory = memory
        self.site = site
        self.groups: list[GroupCommit[Any, Any]] = [*buying.groups, *noticing.groups, *redeeming.groups]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive, send)
        operation = self._operation(scope["method"], scope["path"])
        if operation is None:
            if self.site is not None:
                await self.site(scope, receive, send)
            else:
                await call.refuse(errors.NoSuchPage())
            return
        try:
            await operation(call)
        except errors.DomainError as refusal:
            await call.refuse(refusal)
        except Disconnected:
            return
        except Exception:
            log.exception("unhandled in the lane: %s %s", scope["method"], scope["path"])
            await call.refuse(errors.InternalError())

    def _operation(self, method: str, path: str) -> Operation | None:
        match method, path.split("/")[1:]:
            case "POST", ["api", "v1", "live", session, "purchases"]:
                return lambda call: self.buying.buy(call, session)
            case "GET", ["api", "v1", "purchases", purchase]:
                return lambda call: self.buying.status(call, purchase)
            case "POST", ["api", "v1", "stores", store, "redemptions"]:
                return lambda call: self.redeeming.redeem(call, store)
            case "POST", ["api", "v1", "payments", provider, "notices"]:
                return lambda call: self.noticing.notice(call, provider)
            case "GET", ["api", "v1", "live", session]:
                return lambda call: self.watching.page(call, session)
            case "GET", ["api", "v1", "live", session, "events"]:
                return lambda call: self.watching.stream(call, session)
            case "GET", ["health", "live"] if self.site is None:
                return lambda call: call.answer(200, health.WORKS)
            case "GET", ["health", "ready"] if self.site is None or not self.memory.is_looking:
                return self._ready
        return None

    async def _ready(self, call: Call) -> None:
        """With a site behind it the lane tells of itself only what keeps both from working."""
        looks = self.memory.is_looking
        await call.answer(200 if looks else 503, health.WORKS if looks else health.FAILS)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                # What is loaded by now stays: the collector need not look through it at every turn.
                gc.collect()
                gc.freeze()
                gc.set_threshold(20_000, 20, 100)
                self.memory.start(asyncio.get_running_loop())
                for group in self.groups:
                    group.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _stop(self) -> None:
        for group in self.groups:
            group.stop()
        self.memory.stop()
