"""Asking providers, outside any transaction; what they answer goes into the inbox like what they tell."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TypeVar

from django.db import connection

from orders.providers.interface import (
    MOST_AT_ONCE,
    EventKind,
    NoticeEvent,
    ProviderAnswer,
    ProviderSilent,
    RefundAnswer,
    RefundState,
)

log = logging.getLogger(__name__)

QUESTIONS_AT_ONCE = 4

A = TypeVar("A")


def answers(ask: Callable[[Sequence[str]], list[A]], references: Sequence[str]) -> list[A]:
    """
    What a provider answers about any number of references, asked in parallel by the hundred.

    Answers that did not come are left out: nothing is known about those.
    """
    assert not connection.in_atomic_block, "no network inside a transaction"
    hundreds = [references[start : start + MOST_AT_ONCE] for start in range(0, len(references), MOST_AT_ONCE)]
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
        return [answer for found in pool.map(lambda hundred: _heard(ask, hundred), hundreds) for answer in found]


def _heard(ask: Callable[[Sequence[str]], list[A]], references: Sequence[str]) -> list[A]:
    try:
        return ask(references)
    except ProviderSilent as silence:
        log.warning("a provider did not answer about %d references: %s", len(references), silence)
        return []


def capture_events(provider: str, answer: ProviderAnswer) -> list[NoticeEvent]:
    """A capture we asked for, as the notice that would have told of it."""
    return [
        NoticeEvent(
            provider=provider,
            event_id=event_id(EventKind.PAYMENT_CAPTURED, capture.provider_reference),
            kind=EventKind.PAYMENT_CAPTURED,
            reference=answer.reference,
            provider_reference=capture.provider_reference,
            amount_fen=capture.amount_fen,
            currency=capture.currency,
            occurred_at=capture.captured_at,
        )
        for capture in answer.captures
    ]


def refund_event(provider: str, answer: RefundAnswer) -> NoticeEvent:
    """A refund's success we asked for, as the notice that would have told of it."""
    assert answer.state == RefundState.SUCCEEDED
    assert answer.succeeded_at is not None, "it succeeded at some time"
    return NoticeEvent(
        provider=provider,
        event_id=event_id(EventKind.REFUND_SUCCEEDED, answer.provider_reference),
        kind=EventKind.REFUND_SUCCEEDED,
        reference=answer.reference,
        provider_reference=answer.provider_reference,
        amount_fen=answer.amount_fen,
        currency=answer.currency,
        occurred_at=answer.succeeded_at,
    )


def event_id(kind: EventKind, provider_reference: str) -> str:
    """Of what we found out ourselves: the same however often, and never one of the provider's own."""
    return f"asked:{sha256(f'{kind}:{provider_reference}'.encode()).hexdigest()[:40]}"
