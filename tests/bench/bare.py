"""The bare ASGI answer: what the server and the load generator take by themselves."""

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b'{"purchase":"pur_00000000000000000000000000000000","status":"accepted"}'


async def application(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
