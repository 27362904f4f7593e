"""An invoice beside another one of the same use, and beside a refund of it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from orders.errors import AlreadyInvoiced
from orders.models import Invoice, InvoiceLine, Settlement
from orders.services import after_use, invoicing
from orders.services.invoicing import Subject
from orders.services.settling import settle_uses
from stores.services.made import Made
from tests.orders import invoiced, settled
from tests.orders.settled import AFTER
from tests.races.at_once import Meeting, at_once, meet_after
from tests.vouchers.counters import Counter
from vouchers.models import Redemption

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def counter() -> Counter:
    made = settled.counter()
    invoiced.may_sell(made.entity)
    return made


@pytest.fixture
def used(counter: Counter) -> Redemption:
    redemption = settled.used(counter)
    settle_uses(at=AFTER)
    return redemption


def asking(used: Redemption) -> Callable[[], Made[Invoice]]:
    key = uuid4()
    return lambda: invoiced.asked(used, request_id=key)


def refunding(used: Redemption) -> Callable[[], Any]:
    key = uuid4()
    return lambda: settled.refunded(used, 300, request_id=key)


def left_fen() -> int:
    return sum(InvoiceLine.objects.values_list("amount_fen", flat=True))


def paid_fen() -> int:
    return sum(Settlement.objects.values_list("paid_fen", flat=True))


def test_a_use_is_invoiced_once(used: Redemption, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, invoicing, "lock")

    answers = at_once(asking(used), asking(used))
    assert sorted(type(answer).__name__ for answer in answers) == [AlreadyInvoiced.__name__, Made.__name__]
    assert Invoice.objects.count() == 1


def test_an_invoice_and_a_refund_agree_on_what_is_left(used: Redemption, monkeypatch: pytest.MonkeyPatch) -> None:
    one_place = Meeting()  # of two places each act would wait at its own
    for module in (invoicing, after_use):
        _come_after(monkeypatch, module, "lock", one_place)

    at_once(asking(used), refunding(used))
    assert left_fen() == paid_fen() == 670


def test_control_without_the_lock_a_refund_is_missing_from_its_invoice(
    used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(subject: Subject, *, customer_id: Any) -> Any:
        return invoicing._found(subject, customer_id=customer_id, for_update=False)

    monkeypatch.setattr(invoicing, "lock", look)
    both_have_looked = Meeting()
    # The invoice has read its lines and not written them; the refund has looked for an invoice and not committed.
    _come_after(monkeypatch, invoicing, "_require_invoiceable", both_have_looked)
    _come_after(monkeypatch, invoicing, "credit", both_have_looked)

    at_once(asking(used), refunding(used))
    assert (left_fen(), paid_fen()) == (970, 670)


def _come_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, meeting: Meeting) -> None:
    act = getattr(module, name)

    def act_and_come(*args: Any, **named: Any) -> Any:
        answer = act(*args, **named)
        meeting.come()
        return answer

    monkeypatch.setattr(module, name, act_and_come)
