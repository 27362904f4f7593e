"""Products and options: made, changed, withdrawn; repeated and refused."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import transaction

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.errors import (
    CodeTaken,
    OptionGroupInvalid,
    OptionGroupNotFound,
    OptionWithdrawn,
    ProductNotFound,
    ProductWithdrawn,
)
from stores.models import Brand, Option, Product
from stores.services import options, products
from stores.services.options import NewOption
from stores.services.products import NewProduct
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
NEW = NewProduct(code="936", name="烤黑糖波波牛乳茶", price_fen=2_100, categories=["波波家族"])


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def acts_of(row_id: object) -> list[str]:
    return list(AuditEntry.objects.filter(subject_id=row_id).order_by("id").values_list("act", flat=True))


def test_a_product_is_made_once_however_often_it_is_asked_for(brand: Brand) -> None:
    size, ice = factories.option_group(brand), factories.option_group(brand, name="冰量")
    new = replace(NEW, group_ids=[ice.id, size.id])

    first = products.create(brand_id=brand.id, new=new, by=BY, at=NOW)
    again = products.create(brand_id=brand.id, new=new, by=BY, at=NOW)

    assert (first.is_new, again.is_new, again.row) == (True, False, first.row)
    assert [link.group for link in first.row.product_groups.order_by("position")] == [ice, size]
    assert acts_of(first.row.id) == ["product.created"]


def test_a_code_stays_with_its_product(brand: Brand) -> None:
    products.create(brand_id=brand.id, new=NEW, by=BY, at=NOW)

    with pytest.raises(CodeTaken):
        products.create(brand_id=brand.id, new=replace(NEW, price_fen=1_900), by=BY, at=NOW)


def test_a_product_asks_only_its_own_brands_questions(brand: Brand) -> None:
    foreign = factories.option_group(factories.brand())

    with pytest.raises(OptionGroupNotFound):
        products.create(brand_id=brand.id, new=replace(NEW, group_ids=[foreign.id]), by=BY, at=NOW)
    assert not Product.objects.exists()


def test_renaming_keeps_the_id_and_says_so_once(brand: Brand) -> None:
    product = products.create(brand_id=brand.id, new=NEW, by=BY, at=NOW).row

    for _ in range(2):
        renamed = products.edit(product_id=product.id, changes={"name": "黑糖波波牛乳"}, by=BY, at=NOW)

    assert (renamed.id, renamed.name) == (product.id, "黑糖波波牛乳")
    assert acts_of(product.id) == ["product.created", "product.edited"]
    told = AuditEntry.objects.get(act="product.edited").details
    assert told == {"name": ["烤黑糖波波牛乳茶", "黑糖波波牛乳"]}


def test_other_questions_replace_the_old_ones(brand: Brand) -> None:
    size, ice = factories.option_group(brand), factories.option_group(brand)
    product = products.create(brand_id=brand.id, new=replace(NEW, group_ids=[size.id]), by=BY, at=NOW).row

    products.edit(product_id=product.id, changes={"group_ids": [ice.id, size.id]}, by=BY, at=NOW)

    assert [link.group for link in product.product_groups.order_by("position")] == [ice, size]


def test_a_withdrawn_product_stays_as_it_is(brand: Brand) -> None:
    product = factories.product(brand)
    with transaction.atomic():
        products.withdraw(product=products.lock(product.id), by=BY, at=NOW, reason="换季")
    with transaction.atomic():
        products.withdraw(product=products.lock(product.id), by=BY, at=NOW, reason="换季")

    product.refresh_from_db()
    assert (product.is_sold, product.withdrawn_at) == (False, NOW)
    assert acts_of(product.id) == ["product.withdrawn"]
    with pytest.raises(ProductWithdrawn):
        products.edit(product_id=product.id, changes={"is_sold": True}, by=BY, at=NOW)
    with pytest.raises(ProductNotFound):
        products.edit(product_id=uuid4(), changes={}, by=BY, at=NOW)


def test_a_group_takes_no_more_defaults_than_answers(brand: Brand) -> None:
    group = options.create_group(
        brand_id=brand.id, code="size", name="规格", choose_least=1, choose_most=1, by=BY, at=NOW
    ).row
    options.add(group_id=group.id, new=NewOption("M", "中杯", is_default=True), by=BY, at=NOW)
    large = options.add(group_id=group.id, new=NewOption("L", "大杯", price_delta_fen=500), by=BY, at=NOW).row

    with pytest.raises(OptionGroupInvalid):
        options.add(group_id=group.id, new=NewOption("S", "小杯", is_default=True), by=BY, at=NOW)
    with pytest.raises(OptionGroupInvalid):
        options.edit(option_id=large.id, changes={"is_default": True}, by=BY, at=NOW)
    with pytest.raises(OptionGroupInvalid):
        options.edit_group(group_id=group.id, changes={"choose_least": 2}, by=BY, at=NOW)
    assert [option.code for option in Option.objects.filter(is_default=True)] == ["M"]


def test_options_are_added_and_repeated(brand: Brand) -> None:
    group = factories.option_group(brand)
    new = NewOption("pearls", "珍珠", price_delta_fen=200)

    made = [options.add(group_id=group.id, new=new, by=BY, at=NOW) for _ in range(2)]

    assert [one.is_new for one in made] == [True, False]
    with pytest.raises(CodeTaken):
        options.add(group_id=group.id, new=replace(new, price_delta_fen=300), by=BY, at=NOW)


def test_a_withdrawn_option_is_nobodys_default_and_stays(brand: Brand) -> None:
    option = factories.option_group(brand).options.get(is_default=True)

    for _ in range(2):
        options.withdraw(option_id=option.id, by=BY, at=NOW)

    option.refresh_from_db()
    assert (option.is_default, option.is_sold, option.withdrawn_at) == (False, False, NOW)
    assert acts_of(option.id) == ["option.withdrawn"]
    with pytest.raises(OptionWithdrawn):
        options.edit(option_id=option.id, changes={"is_sold": True}, by=BY, at=NOW)
