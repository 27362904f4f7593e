"""A brand's customer: one row per external id, a token, a phone kept sealed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.accounts import tokens
from config.kernel.caller import CallerKind
from stores.errors import PhoneInvalid
from stores.models import Brand, Customer, CustomerIdentity
from stores.services import customers
from stores.services.customers import SignedIn
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def sign_in(brand: Brand, external_id: str = "u-1", phone: str | None = None) -> SignedIn:
    return customers.customer_token(brand_id=brand.id, external_id=external_id, phone=phone, at=NOW)


def test_a_customer_is_made_once_and_found_after(brand: Brand) -> None:
    first, second = sign_in(brand), sign_in(brand)

    assert (first.is_new, second.is_new) == (True, False)
    assert first.customer == second.customer
    assert Customer.objects.count() == CustomerIdentity.objects.count() == 1


def test_the_token_speaks_for_her_for_a_day_at_most(brand: Brand) -> None:
    signed_in = sign_in(brand)

    caller = tokens.read_token(signed_in.token.text, NOW)

    assert (caller.kind, caller.id, caller.brand_id) == (CallerKind.CUSTOMER, signed_in.customer.id, brand.id)
    assert signed_in.token.expires_at <= NOW + timedelta(days=1)


def test_the_same_id_at_another_brand_is_another_customer(brand: Brand) -> None:
    assert sign_in(brand).customer != sign_in(factories.brand()).customer


def test_a_known_customer_takes_two_statements_and_no_write(brand: Brand) -> None:
    sign_in(brand, phone="13812345678")

    with CaptureQueriesContext(connection) as captured:
        sign_in(brand, phone="138 1234 5678")

    assert [query["sql"].split()[0] for query in captured] == ["BEGIN", "SELECT", "COMMIT"]


def test_her_phone_is_sealed_hashed_and_masked(brand: Brand) -> None:
    sign_in(brand, phone="138-1234-5678")

    kept = Customer.objects.get()
    assert customers.phone_of(kept) == "+8613812345678"
    assert kept.phone_tail == "5678"
    assert b"13812345678" not in bytes(kept.phone_encrypted or b"") + bytes(kept.phone_hash or b"")
    assert Customer.objects.get(phone_hash=customers.phone_hash(brand_id=brand.id, number="+8613812345678")) == kept


def test_a_call_without_a_phone_leaves_the_phone(brand: Brand) -> None:
    sign_in(brand, phone="13812345678")

    sign_in(brand)

    assert Customer.objects.get().phone_tail == "5678"


def test_a_number_that_changed_hands_leaves_who_had_it(brand: Brand) -> None:
    former = sign_in(brand, "u-1", phone="13812345678").customer

    latter = sign_in(brand, "u-2", phone="13812345678").customer

    former.refresh_from_db()
    latter.refresh_from_db()
    assert (former.phone_tail, former.phone_hash, former.phone_encrypted) == ("", None, None)
    assert customers.phone_of(latter) == "+8613812345678"


def test_two_brands_cannot_be_joined_by_a_phone(brand: Brand) -> None:
    sign_in(brand, phone="13812345678")
    sign_in(factories.brand(), phone="13812345678")

    first, second = Customer.objects.all()
    assert first.phone_hash != second.phone_hash
    assert first.phone_tail == second.phone_tail == "5678"


def test_what_is_no_phone_is_refused_and_makes_nobody(brand: Brand) -> None:
    with pytest.raises(PhoneInvalid):
        sign_in(brand, phone="12345")
    assert not Customer.objects.exists()
