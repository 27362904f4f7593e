"""
The sandbox provider: a payment provider of one merchant as an HTTP process of its own.

``./manage.py sandbox`` or ``granian --interface asgi orders.providers.sandbox_server:app``. It stands for
the world outside: it reads its own clock, keeps everything in memory and shares nothing with the site
but the key. ``HEXIAO_SANDBOX`` (JSON: notify_url, remember, faults) configures it.

    POST /pay              the customer's device, with the merchant's signed parameters
    POST /pay/many         up to 100 devices at once, for rehearsals; the first refusal ends it
    POST /query, /close    the merchant, signed: up to 100 references
    POST /refunds, /refunds/query, /bill
    POST /bill/file            the merchant, signed: a day's bill as CSV, once it is written; GET /bill/file/<sha256>
    POST /faults           what shall go wrong from now on        GET /figures
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.utils import timezone

from orders.providers import sandbox_messages as messages
from orders.providers.sandbox_bill import begins
from orders.providers.sandbox_bill_files import BillAnswer, BillFiles, BillRequest, NoSuchBill
from orders.providers.sandbox_book import Full, Refused, SandboxBook
from orders.providers.sandbox_notifier import Notifier
from orders.providers.sandbox_signature import HEADER, BadSignature, Keys

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST_BODY = 64 * 1024
JSON_HEADER = (b"content-type", b"application/json")
CSV_HEADER = (b"content-type", b"text/csv; charset=utf-8")
BILLS = "/bill/file/"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``HEXIAO_SANDBOX`` as JSON."""

    notify_url: str = ""
    remember: int = 1_000_000
    faults: messages.Faults = messages.Faults()


class NoSuchAddress(Exception):
    """Nothing is answered there."""


class TooLarge(Exception):
    """The body is larger than any message."""


class Sandbox:
    """The ASGI application: one book, one notifier, one table of addresses."""

    def __init__(self, options: Options, keys: Keys) -> None:
        self._keys = keys
        self._book = SandboxBook(tell=lambda event: self._notifier.tell(event), remember=options.remember)
        self._notifier = Notifier(
            url=options.notify_url or f"{settings.PUBLIC_URL}/api/v1/payments/sandbox/notices",
            keys=keys,
            acknowledged=self._book.acknowledged,
            waiting_at_most=options.remember,
        )
        self._notifier.set_faults(options.faults)
        self._bills = BillFiles()
        self._running: asyncio.Task[None] | None = None
        self._open: dict[tuple[str, str], Callable[[bytes], Any]] = {
            ("POST", "/pay"): taking(messages.Pay, self._pay),
            ("POST", "/pay/many"): taking(messages.Payers, self._pay_many),
            ("POST", "/faults"): taking(messages.Faults, self._set_faults),
            ("GET", "/figures"): lambda body: self._figures(),
        }
        self._merchants: dict[tuple[str, str], Callable[[bytes], Any]] = {
            ("POST", "/query"): taking(messages.Question, self._query),
            ("POST", "/close"): taking(messages.Question, self._close),
            ("POST", "/refunds"): taking(messages.RefundRequest, self._refund),
            ("POST", "/refunds/query"): taking(messages.Question, self._query_refunds),
            ("POST", "/bill"): taking(messages.BillRequest, self._book.bill),
            ("POST", "/bill/file"): taking(BillRequest, self._bill),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert scope["type"] == "http", "the sandbox speaks HTTP only"
        status, content, headers = 200, b"", [JSON_HEADER]
        pieces: Iterator[bytes] = iter(())
        try:
            body = await body_of(receive)
            if scope["method"] == "GET" and scope["path"].startswith(BILLS):
                self._check(scope, body)
                pieces, headers = self._bills.pieces(scope["path"].removeprefix(BILLS)), [CSV_HEADER]
            else:
                content, headers = self._answer(scope, body)
        except (NoSuchAddress, NoSuchBill):
            status, content = 404, error("no such address")
        except BadSignature as refusal:
            status, content = 401, error(str(refusal))
        except Refused as refusal:
            status, content = 409, error(str(refusal))
        except TooLarge:
            status, content = 413, error("too large")
        except msgspec.MsgspecError as refusal:
            status, content = 422, error(str(refusal))
        except Full:
            status, content = 503, error("full")
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Scope, body: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        address = scope["method"], scope["path"]
        if act := self._open.get(address):
            return messages.encode(act(body)), [JSON_HEADER]
        if (act := self._merchants.get(address)) is None:
            raise NoSuchAddress
        self._check(scope, body)
        content = messages.encode(act(body))
        signature = self._keys.header(content, at_seconds=int(time.time()))
        return content, [JSON_HEADER, (HEADER.encode(), signature.encode())]

    def _check(self, scope: Scope, body: bytes) -> None:
        given = next((value for name, value in scope["headers"] if name == HEADER.encode()), b"")
        self._keys.check({HEADER: given.decode("latin-1")}, body, at_seconds=int(time.time()))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._running = asyncio.create_task(self._notifier.run(settle=self._settle_refunds))
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self._running is not None:
                    self._running.cancel()
                    with suppress(asyncio.CancelledError):
                        await self._running
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _pay(self, request: messages.Pay) -> messages.PaymentReport:
        self._keys.check_parameters(
            request.signature,
            kid=request.kid,
            reference=request.reference,
            amount_fen=request.amount_fen,
            currency=request.currency,
            expires_at=request.expires_at,
        )
        return self._book.pay(request, at=now())

    def _pay_many(self, crowd: messages.Payers) -> messages.PaymentReports:
        return messages.PaymentReports([self._pay(each) for each in crowd.payments])

    def _query(self, question: messages.Question) -> messages.PaymentReports:
        return messages.PaymentReports(self._book.query(question.references))

    def _close(self, question: messages.Question) -> messages.PaymentReports:
        return messages.PaymentReports(self._book.close(question.references))

    def _refund(self, request: messages.RefundRequest) -> messages.RefundReport:
        return self._book.refund(request)

    def _query_refunds(self, question: messages.Question) -> messages.RefundReports:
        return messages.RefundReports(self._book.query_refunds(question.references))

    def _bill(self, request: BillRequest) -> BillAnswer:
        # With the day before: what a fault made late comes a day later.
        since, until = begins(request.day - timedelta(days=1)), begins(request.day + timedelta(days=1))
        return self._bills.ask(request.day, self._book.movements(since=since, until=until), self._notifier.faults.bill)

    def _set_faults(self, faults: messages.Faults) -> messages.Faults:
        self._notifier.set_faults(faults)
        return faults

    def _settle_refunds(self) -> None:
        self._book.settle_refunds(fails=self._notifier.fails_refund, at=now())

    def _figures(self) -> messages.Figures:
        return messages.Figures(
            payments=len(self._book.payments),
            refunds=len(self._book.refunds),
            events_waiting=self._notifier.waiting,
            notices_delivered=self._notifier.delivered,
            notices_refused=self._notifier.refused,
            events_lost=self._notifier.lost,
            events_duplicated=self._notifier.duplicated,
        )


def taking(kind: type[Any], act: Callable[[Any], Any]) -> Callable[[bytes], Any]:
    """``act`` on a body that was read as ``kind``."""
    decode = msgspec.json.Decoder(kind).decode
    return lambda body: act(decode(body))


async def body_of(receive: Receive) -> bytes:
    """
    Raises:
        TooLarge: see there.
    """
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST_BODY:
            raise TooLarge
        if not message.get("more_body"):
            return body


def error(reason: str) -> bytes:
    return messages.encode({"error": reason})


def now() -> datetime:
    return timezone.now()


app = Sandbox(
    msgspec.json.decode(os.environ.get("HEXIAO_SANDBOX", "{}"), type=Options), Keys(settings.SECRETS.sandbox_key)
)
