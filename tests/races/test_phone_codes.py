"""A code is good once and sent once a minute, whoever asks at the same moment."""

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from stores.errors import CodeSentJustNow, PhoneCodeOver, PhoneCodeWrong
from stores.messengers import registry
from stores.models import Brand, CustomerSession, PhoneCode
from stores.services import customers, phone_codes
from stores.services.customer_sessions import Begun
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

MANY = 8
PHONE = "13812345678"


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def send(brand: Brand) -> Callable[[], phone_codes.CodeSent]:
    return lambda: phone_codes.send(brand=brand, phone=PHONE, address=str(uuid4()), at=NOW)


def code_on_the_phone(brand: Brand) -> str:
    """The code, for a customer who is there already: making her has locks of its own."""
    customers.customer_token(brand_id=brand.id, external_id="u-1", phone=PHONE, at=NOW)
    message = registry.sandbox().last_to(send(brand)().number)
    assert message is not None
    return message.code


def sign_in(brand: Brand, code: str) -> Callable[[], Begun]:
    return lambda: phone_codes.sign_in(
        brand_id=brand.id, phone=PHONE, code=code, request_id=uuid4(), address=str(uuid4()), at=NOW
    )


def unlocked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No lock on the number, and everybody has looked before anybody goes on."""
    looked = threading.Barrier(MANY)
    look = getattr(phone_codes, name)

    def together(*args: object, **fields: object) -> object:
        found = look(*args, **fields)
        looked.wait(30)
        return found

    monkeypatch.setattr(customers, "lock_number", lambda hashed: None)
    monkeypatch.setattr(phone_codes, name, together)


def test_eight_who_bring_one_code_at_once_are_one_who_signs_in(brand: Brand) -> None:
    code = code_on_the_phone(brand)

    answers = at_once(*[sign_in(brand, code)] * MANY)

    assert sum(isinstance(answer, Begun) for answer in answers) == 1
    assert sum(isinstance(answer, PhoneCodeOver) for answer in answers) == MANY - 1
    assert CustomerSession.objects.count() == 1


def test_control_without_the_lock_everybody_signs_in(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_on_the_phone(brand)
    unlocked(monkeypatch, "lock_newest")

    answers = at_once(*[sign_in(brand, code)] * MANY)

    assert all(isinstance(answer, Begun) for answer in answers)


def test_wrong_tries_at_once_are_as_few_as_wrong_tries_in_turn(brand: Brand) -> None:
    code = code_on_the_phone(brand)
    wrong = f"{(int(code) + 1) % 10**6:06d}"

    answers = at_once(*[sign_in(brand, wrong)] * MANY)

    assert sum(isinstance(answer, PhoneCodeWrong) for answer in answers) == 4
    assert PhoneCode.objects.get().wrong_tries == 5


def test_control_without_the_lock_eight_wrong_tries_count_as_one(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_on_the_phone(brand)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    unlocked(monkeypatch, "lock_newest")

    at_once(*[sign_in(brand, wrong)] * MANY)

    assert PhoneCode.objects.get().wrong_tries == 1


def test_eight_who_ask_at_once_get_one_code(brand: Brand) -> None:
    answers = at_once(*[send(brand)] * MANY)

    assert sum(isinstance(answer, CodeSentJustNow) for answer in answers) == MANY - 1
    assert PhoneCode.objects.count() == 1


def test_control_without_the_lock_eight_codes_are_sent(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    unlocked(monkeypatch, "_require_room")

    at_once(*[send(brand)] * MANY)

    assert PhoneCode.objects.count() == MANY


def test_a_first_sign_in_and_the_brands_word_at_once_make_one_customer_of_a_number(brand: Brand) -> None:
    """The shop and the brand's server meet at the number's lock: nobody hears a broken constraint."""
    message = registry.sandbox().last_to(send(brand)().number)
    assert message is not None

    def named() -> UUID:
        signed_in = customers.customer_token(brand_id=brand.id, external_id="u-1", phone=PHONE, at=NOW)
        return signed_in.customer.id

    answers = at_once(sign_in(brand, message.code), named)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert brand.customers.exclude(phone_tail="").count() == 1
