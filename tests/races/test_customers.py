"""Two sign-ins of one customer at once: she is one row, whoever wins."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError

from stores.models import Brand, Customer, CustomerIdentity
from stores.services import customers
from stores.services.customers import SignedIn
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once, meet_before

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

MANY = 16


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def sign_in(brand: Brand, external_id: str, phone: str | None = None) -> Callable[[], SignedIn]:
    return lambda: customers.customer_token(brand_id=brand.id, external_id=external_id, phone=phone, at=NOW)


def all_look_before_any_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst order: nobody claims the identity before everybody has failed to find it."""
    meet_before(monkeypatch, customers, "claim_identity")


def test_sixteen_first_sign_ins_agree_on_one_customer(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    all_look_before_any_writes(monkeypatch)

    answers = at_once(*[sign_in(brand, "u-1")] * MANY)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    signed_in = [answer for answer in answers if isinstance(answer, SignedIn)]
    assert len({answer.customer.id for answer in signed_in}) == 1
    assert [answer.is_new for answer in signed_in].count(True) == 1
    assert Customer.objects.count() == CustomerIdentity.objects.count() == 1


def test_without_the_claim_the_race_is_lost(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: look, then write, with nothing to wait for in between."""

    def careless(customer: Customer, **fields: object) -> bool:
        CustomerIdentity.objects.create(
            brand_id=customer.brand_id,
            customer=customer,
            created_at=NOW,
            provider=fields["provider"],
            external_id=fields["external_id"],
        )
        return True

    monkeypatch.setattr(customers, "claim_identity", careless)
    all_look_before_any_writes(monkeypatch)

    answers = at_once(*[sign_in(brand, "u-1")] * MANY)

    assert [type(answer) for answer in answers].count(IntegrityError) == MANY - 1


def test_a_number_claimed_by_sixteen_at_once_is_one_customers(brand: Brand) -> None:
    answers = at_once(*(sign_in(brand, f"u-{number}", "13812345678") for number in range(MANY)))

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Customer.objects.count() == MANY
    assert Customer.objects.exclude(phone_tail="").count() == 1


def test_without_the_lock_on_the_number_the_race_is_lost(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: every number gets a lock of its own claimant's, which is no lock."""
    for number in range(MANY):
        sign_in(brand, f"u-{number}")()
    meet_before(monkeypatch, Customer, "save")
    monkeypatch.setattr(customers, "lock_number", lambda hashed: None)

    answers = at_once(*(sign_in(brand, f"u-{number}", "13812345678") for number in range(MANY)))

    assert [type(answer) for answer in answers].count(IntegrityError) == MANY - 1


def test_two_who_swap_numbers_do_not_wait_for_each_other(brand: Brand) -> None:
    first, second = "13812345678", "13912345678"
    for _ in range(10):
        sign_in(brand, "u-1", first)()
        sign_in(brand, "u-2", second)()

        answers = at_once(sign_in(brand, "u-1", second), sign_in(brand, "u-2", first))

        assert not [answer for answer in answers if isinstance(answer, Exception)]
