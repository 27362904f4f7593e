"""The client of the sandbox provider: the merchant's side of ``sandbox_server``."""

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from hashlib import sha256
from typing import IO, Any, TypeVar

import httpx
import msgspec

from config.kernel.errors import MalformedRequest
from orders.errors import BillNotReady, NoticeNotSigned
from orders.providers import sandbox_messages as messages
from orders.providers.interface import (
    CURRENCY,
    Capture,
    NoticeEvent,
    PaymentTerms,
    ProviderAnswer,
    ProviderSilent,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from orders.providers.sandbox_bill_files import BillAnswer, BillRequest
from orders.providers.sandbox_signature import HEADER, BadSignature, Keys

TIMEOUT_SECONDS = 5.0
CONNECTIONS = 8

_notice = msgspec.json.Decoder(messages.Notice)
M = TypeVar("M")


class Sandbox:
    """A ``Provider``. One object serves all threads; connections are opened at the first question."""

    name = "sandbox"

    def __init__(self, *, url: str, key: str) -> None:
        self._url = url
        self._keys = Keys(key)

    def parameters(self, payment: PaymentTerms) -> dict[str, Any]:
        expires_at = int(payment.expires_at.timestamp())
        return {
            "provider": self.name,
            "url": f"{self._url}/pay",
            "reference": payment.reference,
            "amount_fen": payment.amount_fen,
            "currency": CURRENCY,
            "expires_at": expires_at,
            "kid": self._keys.kid,
            "signature": self._keys.parameters_signature(
                reference=payment.reference,
                amount_fen=payment.amount_fen,
                currency=CURRENCY,
                expires_at=expires_at,
            ),
        }

    def read_notice(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> list[NoticeEvent]:
        try:
            self._keys.check(headers, body, at_seconds=int(at.timestamp()))
            notice = _notice.decode(body)
        except BadSignature as refusal:
            raise NoticeNotSigned(reason=str(refusal)) from None
        except msgspec.MsgspecError as refusal:
            raise MalformedRequest(fields={"": [str(refusal)]}) from None
        return [
            NoticeEvent(
                provider=self.name,
                event_id=event.id,
                kind=event.kind,
                reference=event.reference,
                provider_reference=event.transaction,
                amount_fen=event.amount_fen,
                currency=event.currency,
                occurred_at=event.at,
            )
            for event in notice.events
        ]

    def ask(self, references: Sequence[str]) -> list[ProviderAnswer]:
        return self._ask_payments("/query", references)

    def close(self, references: Sequence[str]) -> list[ProviderAnswer]:
        return self._ask_payments("/close", references)

    def refund(self, order: RefundOrder) -> RefundAnswer:
        request = messages.RefundRequest(order.reference, order.payment_reference, order.amount_fen)
        return refund_answer(self._post("/refunds", request, messages.RefundReport))

    def ask_refunds(self, references: Sequence[str]) -> list[RefundAnswer]:
        question = messages.Question(list(references))
        return [
            refund_answer(found) for found in self._post("/refunds/query", question, messages.RefundReports).refunds
        ]

    def bill(self, day: date, into: IO[bytes]) -> None:
        answer = self._post("/bill/file", BillRequest(day), BillAnswer)
        if not answer.sha256:
            raise BillNotReady(bill_date=day.isoformat())
        headers, hashed = {HEADER: self._keys.header(b"", at_seconds=int(time.time()))}, sha256()
        try:
            with self._client.stream("GET", f"{self._url}/bill/file/{answer.sha256}", headers=headers) as file:
                file.raise_for_status()
                for piece in file.iter_bytes():
                    hashed.update(piece)
                    into.write(piece)
        except httpx.HTTPError as trouble:
            raise ProviderSilent(f"{type(trouble).__name__}: {trouble}") from trouble
        if hashed.hexdigest() != answer.sha256:
            raise ProviderSilent("another file than it promised")

    def _ask_payments(self, path: str, references: Sequence[str]) -> list[ProviderAnswer]:
        reports = self._post(path, messages.Question(list(references)), messages.PaymentReports).payments
        if [report.reference for report in reports] != list(references):
            raise ProviderSilent("answered another question")
        return [payment_answer(report) for report in reports]

    def _post(self, path: str, message: msgspec.Struct, answer_kind: type[M]) -> M:
        body = messages.encode(message)
        headers = {
            "content-type": "application/json",
            HEADER: self._keys.header(body, at_seconds=int(time.time())),
        }
        try:
            answer = self._client.post(f"{self._url}{path}", content=body, headers=headers)
            answer.raise_for_status()
            self._keys.check(answer.headers, answer.content, at_seconds=int(time.time()))
            return msgspec.json.decode(answer.content, type=answer_kind)
        except (httpx.HTTPError, BadSignature, msgspec.MsgspecError) as trouble:
            raise ProviderSilent(f"{type(trouble).__name__}: {trouble}") from trouble

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(timeout=TIMEOUT_SECONDS, limits=httpx.Limits(max_connections=CONNECTIONS))


def payment_answer(report: messages.PaymentReport) -> ProviderAnswer:
    return ProviderAnswer(
        reference=report.reference,
        state=report.state,
        captures=tuple(
            Capture(found.transaction, found.amount_fen, found.currency, found.at) for found in report.captures
        ),
    )


def refund_answer(report: messages.RefundReport) -> RefundAnswer:
    return RefundAnswer(
        reference=report.reference,
        state=report.state,
        provider_reference=report.transaction,
        amount_fen=report.amount_fen,
        currency=report.currency,
        succeeded_at=report.at if report.state == RefundState.SUCCEEDED else None,
        reason=report.reason,
    )
