"""``POST payments/{provider}/notices``: providers' notices, durable before they are answered."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from config.kernel.errors import DomainError
from config.kernel.group_commit import GroupCommit
from livestream.lane.http import Call
from orders.providers import registry
from orders.providers.interface import NoticeEvent
from orders.services.notices import store_notices

Notice = tuple[NoticeEvent, ...]


class Noticing:
    """Notices of all providers share their batches; each carries up to 100 events."""

    def __init__(self) -> None:
        def store(notices: Sequence[Notice]) -> Sequence[int | DomainError]:
            store_notices([event for notice in notices for event in notice], at=timezone.now())
            return [len(notice) for notice in notices]

        self.storing: GroupCommit[Notice, int] = GroupCommit("notices", store, largest_batch=32)
        self.groups: list[GroupCommit[Any, Any]] = [self.storing]

    async def notice(self, call: Call, provider: str) -> None:
        call.refuse_parameters()
        events = registry.by_name(provider).read_notice(call.headers, await call.raw_body(), at=timezone.now())
        # A notice without events is answered like any other: there is nothing to store.
        received = await self.storing.submit(tuple(events)) if events else 0
        await call.answer(200, {"received": received})
