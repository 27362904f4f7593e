"""Payment attempts nobody waits for any more: each provider is asked, then takes no payment any more."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from config.kernel.ids import parse, public
from orders.models import Payment
from orders.providers import registry
from orders.providers.interface import NoticeEvent, PaymentState
from orders.services import asking


@dataclass(frozen=True, slots=True)
class Attempt:
    """A payment attempt; ``owner_id`` is what it pays for, a purchase or a store order."""

    payment_id: UUID
    owner_id: UUID
    provider: str
    status: str

    @property
    def is_open(self) -> bool:
        return self.status in (Payment.Status.CREATED, Payment.Status.PENDING)


def ask_and_close(attempts: Iterable[Attempt]) -> tuple[set[UUID], list[NoticeEvent]]:
    """
    The payments their providers will not take any more, and the captures they knew of.

    Closing answers once more: a customer may pay between question and closing.
    """
    by_provider: dict[str, list[str]] = defaultdict(list)
    for attempt in attempts:
        if attempt.is_open:
            by_provider[attempt.provider].append(public(Payment.PREFIX, attempt.payment_id))
    unpaid: set[UUID] = set()
    captured: list[NoticeEvent] = []
    for name, references in by_provider.items():
        provider = registry.by_name(name)
        asked = asking.answers(provider.ask, references)
        to_close = [answer.reference for answer in asked if answer.state != PaymentState.CAPTURED]
        closed = asking.answers(provider.close, to_close)
        for answer in (*asked, *closed):
            captured.extend(asking.capture_events(name, answer))
        unpaid |= {parse(Payment.PREFIX, answer.reference) for answer in closed if answer.state == PaymentState.CLOSED}
    return unpaid, captured
