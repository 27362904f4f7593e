"""A code sent to the phone signs its customer in: once, for five minutes, five wrong tries, ten codes a day."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection, transaction

from config.kernel.errors import DomainError, TooManyRequests
from config.kernel.limits import Limit
from stores import tasks
from stores.errors import (
    CodeMaybeNotSent,
    CodeSentJustNow,
    MessagesNotSetUp,
    PhoneCodeOver,
    PhoneCodeWrong,
    PhoneInvalid,
    TooManyCodesToday,
)
from stores.messengers import registry
from stores.messengers.interface import CodeMessage, MessengerSilent
from stores.models import Brand, Customer, CustomerSession, PhoneCode
from stores.queries import customer_of_session
from stores.services import customer_sessions, customers, phone_codes
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "138 1234 5678"
NUMBER = "+8613812345678"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def send(brand: Brand, phone: str = PHONE, *, address: str | None = None, at: datetime = NOW) -> str:
    """The code as the phone shows it."""
    sent = phone_codes.send(brand=brand, phone=phone, address=address or str(uuid4()), at=at)
    message = registry.sandbox().last_to(sent.number)
    assert message is not None
    return message.code


def sign_in(
    brand: Brand, code: str, *, phone: str = PHONE, key: UUID | None = None, at: datetime = NOW
) -> customer_sessions.Begun:
    return phone_codes.sign_in(
        brand_id=brand.id, phone=phone, code=code, request_id=key or uuid4(), address=str(uuid4()), at=at
    )


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_code_signs_in_a_customer_made_at_first_sight(brand: Brand) -> None:
    begun = sign_in(brand, send(brand))

    assert customers.phone_of(begun.customer) == NUMBER
    assert begun.customer.phone_tail == "5678"
    assert customer_of_session(begun.key, brand_id=brand.id, at=NOW) == begun.customer


def test_the_same_phone_is_the_same_customer_and_another_brands_is_another(brand: Brand) -> None:
    first = sign_in(brand, send(brand)).customer
    again = sign_in(brand, send(brand, "+86-13812345678", at=NOW + MINUTE), at=NOW + MINUTE).customer
    elsewhere = factories.brand()
    other_brands = sign_in(elsewhere, send(elsewhere, at=NOW + 2 * MINUTE), at=NOW + 2 * MINUTE).customer

    assert first == again
    assert other_brands != first


def test_the_customer_whose_number_the_brand_named_is_the_one_who_signs_in(brand: Brand) -> None:
    hers = customers.customer_token(brand_id=brand.id, external_id="u-1", phone=PHONE, at=NOW).customer

    assert sign_in(brand, send(brand)).customer == hers


def test_neither_the_code_nor_the_number_is_stored(brand: Brand) -> None:
    code = send(brand)

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text FROM stores_phonecode c")
        [(row,)] = cursor.fetchall()
    for secret in (code, "13812345678"):
        assert secret not in row
        assert secret.encode().hex() not in row


def test_a_code_is_good_once(brand: Brand) -> None:
    code = send(brand)
    sign_in(brand, code)

    with pytest.raises(PhoneCodeOver):
        sign_in(brand, code)


def test_a_repeat_of_the_request_gets_another_session_of_the_same_customer(brand: Brand) -> None:
    code, key = send(brand), uuid4()
    first, again = sign_in(brand, code, key=key), sign_in(brand, code, key=key)

    assert first.customer == again.customer
    assert first.key != again.key
    with pytest.raises(PhoneCodeOver):
        sign_in(brand, other(code), key=key)
    with pytest.raises(PhoneCodeOver):
        sign_in(brand, code, key=key, at=NOW + 5 * MINUTE)


def test_a_code_is_good_for_five_minutes(brand: Brand) -> None:
    code = send(brand)

    with pytest.raises(PhoneCodeOver):
        sign_in(brand, code, at=NOW + 5 * MINUTE)
    assert sign_in(brand, code, at=NOW + 5 * MINUTE - timedelta(microseconds=1))


def test_a_newer_code_replaces_the_one_before(brand: Brand) -> None:
    old = send(brand)
    new = send(brand, at=NOW + MINUTE)

    if old != new:  # one in a million
        with pytest.raises(PhoneCodeWrong):
            sign_in(brand, old, at=NOW + MINUTE)
    assert sign_in(brand, new, at=NOW + MINUTE)


def test_the_fifth_wrong_try_ends_a_code(brand: Brand) -> None:
    code = send(brand)
    told = []
    for _ in range(4):
        with pytest.raises(PhoneCodeWrong) as wrong:
            sign_in(brand, other(code))
        told.append(wrong.value.details["tries_left"])
    with pytest.raises(PhoneCodeOver):
        sign_in(brand, other(code))

    assert told == [4, 3, 2, 1]
    assert "还可以试 1 次" in wrong.value.message("zh")
    with pytest.raises(PhoneCodeOver):
        sign_in(brand, code)


def test_a_code_of_another_brand_or_another_phone_is_none(brand: Brand) -> None:
    code = send(brand)

    with pytest.raises(PhoneCodeOver):
        sign_in(factories.brand(), code)
    with pytest.raises(PhoneCodeOver):
        sign_in(brand, code, phone="13912345678")


def test_a_phone_gets_a_code_a_minute_over_all_brands(brand: Brand) -> None:
    send(brand)

    with pytest.raises(CodeSentJustNow) as soon:
        send(factories.brand(), at=NOW + timedelta(seconds=59.5))
    assert soon.value.details["retry_after_seconds"] == 1
    assert send(brand, "13912345678", at=NOW)
    assert send(brand, at=NOW + MINUTE)


def test_a_phone_gets_ten_codes_in_24_hours(brand: Brand) -> None:
    for number in range(10):
        send(brand, at=NOW + number * MINUTE)

    with pytest.raises(TooManyCodesToday) as many:
        send(brand, at=NOW + timedelta(hours=1))
    assert many.value.details["hours"] == 23
    assert many.value.message("zh")
    assert send(brand, at=NOW + timedelta(days=1))


def test_an_address_has_its_share_of_codes_and_of_failures(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    name = uuid4().hex
    monkeypatch.setattr(phone_codes, "SENT_TO_AN_ADDRESS", Limit(name, times=1, seconds=600, times_alone=1))
    monkeypatch.setattr(phone_codes, "FAILURES_OF_AN_ADDRESS", Limit(f"{name}f", times=1, seconds=600, times_alone=1))
    send(brand, "13912345678", address="192.0.2.1")
    with pytest.raises(TooManyRequests):
        send(brand, "13912345679", address="192.0.2.1")
    code = send(brand)
    guess = {"brand_id": brand.id, "phone": PHONE, "address": "192.0.2.2", "at": NOW}

    with pytest.raises(PhoneCodeWrong):
        phone_codes.sign_in(code=other(code), request_id=uuid4(), **guess)  # type: ignore[arg-type]
    with pytest.raises(TooManyRequests):
        phone_codes.sign_in(code=code, request_id=uuid4(), **guess)  # type: ignore[arg-type]


@pytest.mark.parametrize("rubbish", ["", "12345", "😀", "1381234567x", "1" * 400])
def test_rubbish_is_no_phone_and_no_code(brand: Brand, rubbish: str) -> None:
    with pytest.raises(PhoneInvalid):
        phone_codes.send(brand=brand, phone=rubbish, address="a", at=NOW)
    send(brand)
    with pytest.raises(PhoneCodeWrong):
        sign_in(brand, rubbish)


def test_a_silent_messenger_counts_and_its_code_works(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been sent: what arrives must work, and nobody is asked again at once."""
    seen: list[str] = []

    def silent(message: CodeMessage) -> None:
        assert connection.in_atomic_block is False, "no network inside a transaction"
        seen.append(message.code)
        raise MessengerSilent

    monkeypatch.setattr(registry.sandbox(), "send_code", silent)

    with pytest.raises(CodeMaybeNotSent):
        phone_codes.send(brand=brand, phone=PHONE, address="a", at=NOW)
    with pytest.raises(CodeSentJustNow):
        phone_codes.send(brand=brand, phone=PHONE, address="a", at=NOW)
    assert sign_in(brand, seen[0])


def test_without_a_messenger_no_code_is_made(brand: Brand, settings: object) -> None:
    settings.MESSENGER = ""  # type: ignore[attr-defined]

    with pytest.raises(MessagesNotSetUp):
        phone_codes.send(brand=brand, phone=PHONE, address="a", at=NOW)
    assert not PhoneCode.objects.exists()


def test_every_refusal_speaks_both_languages() -> None:
    refusals: list[DomainError] = [
        CodeMaybeNotSent(retry_after_seconds=60),
        CodeSentJustNow(retry_after_seconds=1),
        TooManyCodesToday(hours=3, retry_after_seconds=1, most=10),
        PhoneCodeWrong(tries_left=2),
        PhoneCodeOver(),
        MessagesNotSetUp(),
    ]

    assert all(refusal.message("zh") != refusal.message("en") for refusal in refusals)


def test_a_session_ends_by_itself_by_signing_out_and_at_another_brands_shop(brand: Brand) -> None:
    begun = sign_in(brand, send(brand))

    assert customer_of_session(begun.key, brand_id=factories.brand().id, at=NOW) is None
    assert customer_of_session("rubbish", brand_id=brand.id, at=NOW) is None
    assert customer_of_session(begun.key, brand_id=brand.id, at=begun.expires_at) is None
    customer_sessions.end(key=begun.key, at=NOW)
    assert customer_of_session(begun.key, brand_id=brand.id, at=NOW) is None


def test_yesterdays_codes_and_sessions_that_are_over_are_forgotten(brand: Brand) -> None:
    """The rows are years old, so the task's own clock forgets them."""
    sign_in(brand, send(brand))
    long_ago = NOW - timedelta(days=3_650)
    with transaction.atomic():
        PhoneCode.objects.update(sent_at=long_ago, expires_at=long_ago + MINUTE)
        CustomerSession.objects.update(began_at=long_ago, expires_at=long_ago + MINUTE)

    over, on = SessionStore(), SessionStore()
    over.set_expiry(datetime(2020, 1, 1, tzinfo=UTC))
    over.save()
    on.save()

    tasks.forget_sign_ins()

    assert list(Session.objects.values_list("pk", flat=True)) == [on.session_key]
    assert not PhoneCode.objects.exists()
    assert not CustomerSession.objects.exists()
    assert Customer.objects.count() == 1
