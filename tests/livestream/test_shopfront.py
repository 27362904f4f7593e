"""The rehearsal's shop: a menu that can be ordered from, and somebody with vouchers who can sign in."""

import pytest

from livestream.rehearsal import shopfront
from stores.queries import menu_of
from stores.services import customers
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import Counter

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_drink_can_be_ordered_as_it_comes() -> None:
    brand = factories.brand()
    store = factories.store(brand)

    shopfront.furnish(brand_id=brand.id, at=NOW)

    menu = menu_of(store, at=NOW)
    assert len(menu.products) == len(shopfront.DRINKS)
    for product in menu.products:
        assert menu.choose(product.product_id, ()).unit_fen == product.price_fen
    brand.refresh_from_db()
    assert brand.theme["light"]["brand"] == shopfront.SEED


def test_the_phone_is_one_customers_who_has_a_voucher() -> None:
    brand = factories.brand()
    assert shopfront.let_somebody_in(brand_id=brand.id) is None
    voucher = Counter(brand, factories.entity(brand), factories.store(brand), factories.user()).voucher()

    assert shopfront.let_somebody_in(brand_id=brand.id) == shopfront.PHONE
    voucher.customer.refresh_from_db()
    assert customers.phone_of(voucher.customer) == f"+86{shopfront.PHONE}"
