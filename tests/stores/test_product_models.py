"""What may never be false of products, held by the database."""

import pytest
from django.db import IntegrityError

from stores.models import Option, OptionGroup, Product, ProductOptionGroup, StoreOption, StoreProduct
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", [Product, OptionGroup, Option])
def test_the_id_of_what_vouchers_may_name_never_dies(model: type) -> None:
    brand = factories.brand()
    factories.option_group(brand, factories.product(brand))
    ProductOptionGroup.objects.all().delete()

    with pytest.raises(IntegrityError, match="no row is deleted"):
        model.objects.all()._raw_delete("default")  # type: ignore[attr-defined]


def test_a_store_like_all_others_has_no_row() -> None:
    brand = factories.brand()
    store, product = factories.store(brand), factories.product(brand)

    with pytest.raises(IntegrityError, match="store_product_differs"):
        StoreProduct.objects.create(store=store, product=product)


def test_a_store_says_an_option_once() -> None:
    brand = factories.brand()
    store, option = factories.store(brand), factories.option_group(brand).options.order_by("position")[0]
    StoreOption.objects.create(store=store, option=option, sold_out_at=NOW)

    with pytest.raises(IntegrityError, match="store_says_an_option_once"):
        StoreOption.objects.create(store=store, option=option, price_delta_fen=100)


def test_a_withdrawn_product_is_not_sold() -> None:
    with pytest.raises(IntegrityError, match="withdrawn_product_is_not_sold"):
        factories.product(factories.brand(), withdrawn_at=NOW)


def test_a_group_never_asks_for_more_answers_than_it_takes() -> None:
    with pytest.raises(IntegrityError, match="option_group_asks_for_a_possible_number"):
        factories.option_group(factories.brand(), choose_least=2, choose_most=1)
