"""Payment parameters and further attempts to pay."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.accounts import tokens
from config.kernel.errors import IdempotencyConflict
from orders.errors import (
    ProviderNotFound,
    PurchaseAlreadyPaid,
    PurchaseNoLongerPayable,
    PurchaseNotFound,
    TooManyPaymentAttempts,
)
from orders.models import Payment, PaymentNotice
from orders.providers import registry
from orders.providers import sandbox_messages as messages
from orders.providers.interface import EventKind, NoticeEvent
from orders.providers.sandbox_signature import BadSignature, Keys
from orders.services.payments import Attempt, new_attempt, payment_parameters
from tests.factories import NOW
from tests.orders import buying

pytestmark = pytest.mark.django_db


def attempt(payment: Payment, **fields: Any) -> Attempt:
    return new_attempt(
        **{
            "purchase_id": payment.purchase_id,
            "customer_id": payment.customer_id,
            "provider": "sandbox",
            "request_id": uuid4(),
            "at": NOW,
            **fields,
        }
    )


def test_parameters_name_payment_amount_and_the_time_the_purchase_waits(settings: Any) -> None:
    settings.UNPAID_AFTER_SECONDS = 900
    payment_id = uuid4()

    parameters = payment_parameters(payment_id, 990, accepted_at=NOW)

    assert parameters["reference"] == f"pay_{payment_id.hex}"
    assert (parameters["amount_fen"], parameters["currency"]) == (990, "CNY")
    assert parameters["expires_at"] == int((NOW + timedelta(minutes=15)).timestamp())


@pytest.mark.parametrize("change", [{"amount_fen": 1}, {"expires_at": 2**33}, {"reference": "pay_other"}, {"kid": "0"}])
def test_a_changed_parameter_does_not_carry_our_signature(settings: Any, change: dict[str, Any]) -> None:
    parameters = payment_parameters(uuid4(), 990, accepted_at=NOW)
    keys = Keys(settings.SECRETS.sandbox_key)

    def check(told: dict[str, Any]) -> None:
        signed = {name: told[name] for name in ("kid", "reference", "amount_fen", "currency", "expires_at")}
        keys.check_parameters(told["signature"], **signed)

    check(parameters)
    with pytest.raises(BadSignature):
        check(parameters | change)


def test_a_further_attempt_is_another_payment_of_the_same_purchase() -> None:
    first = buying.buy(buying.an_offer(), quantity=2)

    again = attempt(first)

    assert not again.is_repeat
    assert again.payment.id != first.id
    assert (again.payment.purchase_id, again.payment.amount_fen) == (first.purchase_id, 1_980)


def test_a_repeat_finds_the_same_attempt_also_after_the_purchase_was_paid() -> None:
    first = buying.buy(buying.an_offer())
    request_id = uuid4()
    made = attempt(first, request_id=request_id)
    buying.tell(buying.captured(first))

    repeat = attempt(first, request_id=request_id)

    assert repeat.is_repeat
    assert repeat.payment == made.payment


def test_the_same_key_for_another_provider_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    first = buying.buy(buying.an_offer())
    request_id = uuid4()
    attempt(first, request_id=request_id)
    monkeypatch.setattr(registry, "by_name", lambda name: None)

    with pytest.raises(IdempotencyConflict):
        attempt(first, request_id=request_id, provider="other")


def test_another_customers_purchase_is_not_there() -> None:
    with pytest.raises(PurchaseNotFound):
        attempt(buying.buy(buying.an_offer()), customer_id=uuid4())


def test_a_paid_purchase_takes_no_further_attempt() -> None:
    payment = buying.buy(buying.an_offer())
    buying.tell(buying.captured(payment))

    with pytest.raises(PurchaseAlreadyPaid):
        attempt(payment)


def test_a_purchase_that_waited_long_enough_takes_no_further_attempt(settings: Any) -> None:
    payment = buying.buy(buying.an_offer())

    with pytest.raises(PurchaseNoLongerPayable):
        attempt(payment, at=NOW + timedelta(seconds=settings.UNPAID_AFTER_SECONDS))


def test_a_closed_purchase_takes_no_further_attempt() -> None:
    payment = buying.buy(buying.an_offer())
    buying.close(payment)

    with pytest.raises(PurchaseNoLongerPayable):
        attempt(payment)


def test_attempts_are_bounded() -> None:
    payment = buying.buy(buying.an_offer())
    for _ in range(4):
        attempt(payment)

    with pytest.raises(TooManyPaymentAttempts):
        attempt(payment)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ProviderNotFound):
        attempt(buying.buy(buying.an_offer()), provider="cowries")


def post_attempt(client: Client, payment: Payment, *, key: str, body: dict[str, Any]) -> Any:
    signed = tokens.sign_customer(
        customer_id=payment.customer_id, brand_id=payment.purchase.brand_id, at=datetime.now(UTC)
    )
    return client.post(
        f"/api/v1/purchases/{payment.purchase.public_id}/payment",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": key, "Authorization": f"Bearer {signed.text}"},
    )


def test_a_customer_starts_another_payment_over_http(client: Client) -> None:
    payment = buying.buy(buying.an_offer(), at=datetime.now(UTC))
    key = str(uuid4())

    made = post_attempt(client, payment, key=key, body={})
    repeat = post_attempt(client, payment, key=key, body={"provider": "sandbox"})

    assert (made.status_code, repeat.status_code) == (201, 200)
    assert made.json() == repeat.json()
    assert made.json()["purchase_id"] == payment.purchase.public_id
    assert made.json()["parameters"]["reference"] == made.json()["id"] != payment.public_id


@pytest.mark.parametrize(
    ("body", "code"), [({"provider": "cowries"}, "malformed_request"), ({"amount_fen": 1}, "unknown_parameter")]
)
def test_what_is_not_offered_cannot_be_asked_for(client: Client, body: dict[str, Any], code: str) -> None:
    answer = post_attempt(client, buying.buy(buying.an_offer()), key=str(uuid4()), body=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def notice(event: NoticeEvent, keys: Keys, *, at: datetime) -> dict[str, Any]:
    """The body and headers that the sandbox would send."""
    told = messages.Event(
        event.event_id,
        EventKind(event.kind),
        event.reference,
        event.provider_reference,
        event.amount_fen,
        event.currency,
        event.occurred_at,
    )
    body = messages.encode(messages.Notice([told]))
    headers = {"Sandbox-Signature": keys.header(body, at_seconds=int(at.timestamp()))}
    return {"data": body, "content_type": "application/json", "headers": headers}


def test_a_signed_notice_is_stored_before_it_is_answered_and_a_repeat_answers_the_same_way(
    client: Client, settings: Any
) -> None:
    payment = buying.buy(buying.an_offer())
    told = notice(buying.captured(payment), Keys(settings.SECRETS.sandbox_key), at=datetime.now(UTC))

    first, repeat = (client.post("/api/v1/payments/sandbox/notices", **told) for _ in range(2))

    assert (first.status_code, first.json()) == (200, {"received": 1})
    assert (repeat.status_code, repeat.json()) == (200, {"received": 1})
    assert PaymentNotice.objects.get().reference == payment.public_id


@pytest.mark.parametrize(
    ("keys", "age", "change"),
    [
        (Keys("00" * 32), timedelta(0), b""),
        (None, timedelta(minutes=6), b""),
        (None, timedelta(minutes=-6), b""),
        (None, timedelta(0), b" "),
    ],
)
def test_a_notice_by_another_key_or_too_old_or_changed_by_a_byte_is_refused(
    client: Client, settings: Any, keys: Keys | None, age: timedelta, change: bytes
) -> None:
    keys = keys or Keys(settings.SECRETS.sandbox_key)
    told = notice(buying.captured(buying.buy(buying.an_offer())), keys, at=datetime.now(UTC) - age)
    told["data"] += change

    answer = client.post("/api/v1/payments/sandbox/notices", **told)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "notice_not_signed")
    assert not PaymentNotice.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b'{"events":[]}', b'{"events":[{"id":"a"}]}', b'{"events":1', b"\xff"])
def test_a_signed_body_that_is_no_notice_is_malformed(client: Client, settings: Any, body: bytes) -> None:
    signature = Keys(settings.SECRETS.sandbox_key).header(body, at_seconds=int(datetime.now(UTC).timestamp()))

    answer = client.post(
        "/api/v1/payments/sandbox/notices",
        body,
        content_type="application/json",
        headers={"Sandbox-Signature": signature},
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "malformed_request")


def test_a_notice_for_no_provider_of_ours_is_refused(client: Client) -> None:
    answer = client.post("/api/v1/payments/cowries/notices", b"{}", content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "provider_not_found")
