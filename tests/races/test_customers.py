"""Two sign-ins of one customer at once: she is one row, whoever wins."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection

from stores.models import Brand, Customer, CustomerIdentity
from stores.services import customers
from stores.services.customers import SignedIn
from tests import factories
from tests.factories import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

MANY = 16


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def at_once(acts: list[Callable[[], SignedIn]]) -> list[SignedIn | Exception]:
    """Every act on a thread and a connection of its own, all let go together."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], SignedIn]) -> SignedIn | Exception:
        try:
            connection.ensure_connection()
            start.wait(timeout=10)
            return act()
        except IntegrityError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def sign_in(brand: Brand, external_id: str, phone: str | None = None) -> Callable[[], SignedIn]:
    return lambda: customers.customer_token(brand_id=brand.id, external_id=external_id, phone=phone, at=NOW)


def all_look_before_any_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst order: nobody claims the identity before everybody has failed to find it."""
    looked = threading.Barrier(MANY)
    claim = customers.claim_identity

    def patient(*args: object, **fields: object) -> bool:
        looked.wait(timeout=10)
        return claim(*args, **fields)  # type: ignore[arg-type]

    monkeypatch.setattr(customers, "claim_identity", patient)


def test_sixteen_first_sign_ins_agree_on_one_customer(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    all_look_before_any_writes(monkeypatch)

    answers = at_once([sign_in(brand, "u-1")] * MANY)

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

    answers = at_once([sign_in(brand, "u-1")] * MANY)

    assert [type(answer) for answer in answers].count(IntegrityError) == MANY - 1


def test_a_number_claimed_by_sixteen_at_once_is_one_customers(brand: Brand) -> None:
    answers = at_once([sign_in(brand, f"u-{number}", "13812345678") for number in range(MANY)])

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Customer.objects.count() == MANY
    assert Customer.objects.exclude(phone_tail="").count() == 1


def test_without_the_lock_on_the_number_the_race_is_lost(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: every number gets a lock of its own claimant's, which is no lock."""
    for number in range(MANY):
        sign_in(brand, f"u-{number}")()
    locked = threading.Barrier(MANY)
    keep = Customer.save

    def late(self: Customer, *args: object, **fields: object) -> None:
        if fields.get("update_fields"):
            locked.wait(timeout=10)
        keep(self, *args, **fields)  # type: ignore[arg-type]

    monkeypatch.setattr(Customer, "save", late)
    monkeypatch.setattr(customers, "lock_number", lambda hashed: None)

    answers = at_once([sign_in(brand, f"u-{number}", "13812345678") for number in range(MANY)])

    assert [type(answer) for answer in answers].count(IntegrityError) == MANY - 1


def test_two_who_swap_numbers_do_not_wait_for_each_other(brand: Brand) -> None:
    first, second = "13812345678", "13912345678"
    for _ in range(10):
        sign_in(brand, "u-1", first)()
        sign_in(brand, "u-2", second)()

        answers = at_once([sign_in(brand, "u-1", second), sign_in(brand, "u-2", first)])

        assert not [answer for answer in answers if isinstance(answer, Exception)]
