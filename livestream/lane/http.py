"""ASGI by hand: read a bounded body, answer JSON, refuse in the one shape that the site refuses in."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from config.kernel import errors
from config.kernel.api.exceptions import envelope, language_of
from config.kernel.api.structs import LARGEST_STRUCT, decoded, encoded
from config.kernel.api.throttling import address_behind
from config.kernel.ids import new_id

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Body = TypeVar("Body", bound=msgspec.Struct)
Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
LARGEST_BODY = 1024 * 1024


@dataclass(slots=True)
class Call:
    """One HTTP request of the lane, with what every operation asks of it."""

    scope: Scope
    receive: Receive
    send: Send
    _headers: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._headers = dict(self.scope["headers"])

    def header(self, name: bytes) -> str:
        """A header's value, empty where there is none; ``name`` in lower case."""
        return self._headers.get(name, b"").decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}

    @property
    def bearer(self) -> str:
        """
        The bearer token.

        Raises:
            NotSignedIn: none came.
        """
        kind, _, token = self.header(b"authorization").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise errors.NotSignedIn
        return token

    @property
    def request_id(self) -> UUID:
        """
        The ``Idempotency-Key``.

        Raises:
            IdempotencyKeyRequired: none came, or it is no UUID.
        """
        try:
            return UUID(self.header(b"idempotency-key"))
        except ValueError:
            raise errors.IdempotencyKeyRequired(param="Idempotency-Key") from None

    @property
    def address(self) -> str:
        """Where the call comes from, behind as many proxies as are ours."""
        peer = self.scope.get("client") or ("", 0)
        return address_behind(self.header(b"x-forwarded-for"), peer=str(peer[0]))

    def refuse_parameters(self) -> None:
        """Refuse a query string where the operation has none."""
        if query := self.scope.get("query_string"):
            raise errors.UnknownParameter(names=query.decode("latin-1")[:80])

    async def raw_body(self, at_most: int = LARGEST_BODY) -> bytes:
        """
        The body's bytes.

        Raises:
            RequestTooLarge: more than ``at_most`` bytes.
        """
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > at_most:
                raise errors.RequestTooLarge
            chunks.append(chunk)
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def body(self, decoder: "msgspec.json.Decoder[Body]", at_most: int = LARGEST_STRUCT) -> Body:
        """
        The body as a struct that refuses unknown fields.

        Raises:
            UnsupportedMediaType, MalformedJson, MalformedRequest, RequestTooLarge: by what is wrong.
        """
        return decoded(await self.raw_body(at_most), self.header(b"content-type"), decoder)

    async def answer(self, status: int, body: Any, headers: tuple[Header, ...] = ()) -> None:
        await self.answer_bytes(status, encoded(body), (JSON, *headers))

    async def answer_bytes(self, status: int, payload: bytes, headers: tuple[Header, ...]) -> None:
        length = (b"content-length", str(len(payload)).encode())
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await self.send({"type": "http.response.body", "body": payload})

    async def refuse(self, error: errors.DomainError) -> None:
        request_id = self.header(b"x-request-id")[:64] or f"req_{new_id().hex}"
        headers: list[Header] = [(b"x-request-id", request_id.encode("latin-1"))]
        if "retry_after_seconds" in error.details:
            headers.append((b"retry-after", str(error.details["retry_after_seconds"]).encode()))
        elif error.status == errors.Unavailable.status:
            headers.append((b"retry-after", b"1"))
        if error.status == errors.Unauthenticated.status:
            headers.append((b"www-authenticate", b"Bearer"))
        language = language_of(self.header(b"accept-language"))
        await self.answer(error.status, envelope(error, language=language, request_id=request_id), tuple(headers))


class Disconnected(Exception):
    """The client left before its request was whole; there is nobody to answer."""
