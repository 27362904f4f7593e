"""The lane behind an HTTP client, and what a customer sends to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from django.db import connections

from config.accounts.tokens import sign_customer
from config.asgi import lane
from livestream.models import LiveSession
from vouchers.models import Offer

Story = Callable[[httpx.AsyncClient], Awaitable[Any]]


@asynccontextmanager
async def served() -> AsyncIterator[httpx.AsyncClient]:
    """The lane behind an HTTP client, started and stopped as a server does it."""
    application = lane(None)
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[Any] = asyncio.Queue()
    living = asyncio.create_task(application({"type": "lifespan"}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    while not application.memory.is_looking:
        await asyncio.sleep(0.01)
    transport = httpx.ASGITransport(app=application)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    await inbox.put({"type": "lifespan.shutdown"})
    assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
    await living


def play(story: Story) -> Any:
    async def whole() -> Any:
        async with served() as client:
            return await story(client)

    try:
        return asyncio.run(whole())
    finally:
        connections.close_all()


def signed_in(session: LiveSession, **headers: str) -> dict[str, str]:
    token = sign_customer(customer_id=uuid4(), brand_id=session.brand_id, at=datetime.now(UTC)).text
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4()), **headers}


def wish(offer: Offer, /, **fields: Any) -> dict[str, Any]:
    return {"offer": offer.public_id, "unit_price_fen": 990, "terms_number": 1} | fields


def purchases(session: LiveSession) -> str:
    return f"/api/v1/live/{session.public_id}/purchases"
