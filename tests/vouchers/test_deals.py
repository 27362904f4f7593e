"""Deals and their terms: made once, numbered, refused where nobody could ever use them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from vouchers.errors import DealStockExhausted, OutIdTaken, TermsInvalid
from vouchers.models import Deal, DealStock, DealTerms
from vouchers.services import deals
from vouchers.services.deals import NewTerms

pytestmark = pytest.mark.django_db

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
TEA, MILK = uuid4(), uuid4()
CASH = NewTerms(title="20 元代金券", list_price_fen=2_000, face_value_fen=2_000, usable_days=30)
CARD = NewTerms(title="三次卡", list_price_fen=5_400, use_list_fen=[1_900, 1_800, 1_700], usable_days=90)
DISCOUNT = NewTerms(title="八折券", list_price_fen=1_000, discount_rate_bps=2_000, usable_days=30)
PACKAGE = NewTerms(
    title="双人餐",
    list_price_fen=4_000,
    package_groups=[
        {"name": "饮品", "items": [{"product": f"prd_{TEA.hex}"}, {"product": f"prd_{MILK.hex}"}], "choose": 2}
    ],
    usable_days=30,
)
BUNDLE = NewTerms(title="券包", list_price_fen=4_000, bundle_children=[{"terms": "trm_x", "count": 2}], usable_days=30)
GOOD = {
    Deal.Kind.CASH: CASH,
    Deal.Kind.TIMES_CARD: CARD,
    Deal.Kind.DISCOUNT: DISCOUNT,
    Deal.Kind.PACKAGE: PACKAGE,
    Deal.Kind.BUNDLE: BUNDLE,
}


@pytest.fixture
def brand() -> Brand:
    brand = factories.brand()
    for product in (TEA, MILK):
        factories.product(brand, id=product)
    return brand


def create(brand: Brand, **fields: Any) -> Any:
    given = {"out_id": "cash-20", "kind": Deal.Kind.CASH, "name": "20 元代金券", "total": 100, **fields}
    return deals.create(brand_id=brand.id, by=BY, at=NOW, **given)


def publish(deal: Deal, new: NewTerms) -> Any:
    return deals.publish_terms(deal=deal, new=new, by=BY, at=NOW)


def test_a_deal_comes_with_its_stock_and_a_trail(brand: Brand) -> None:
    made = create(brand)

    assert made.is_new
    assert (made.row.stock.total, made.row.stock.free) == (100, 100)
    assert AuditEntry.objects.get().act == "deal.created"


def test_the_same_out_id_again_is_the_same_deal(brand: Brand) -> None:
    first, again = create(brand), create(brand)

    assert again.row == first.row
    assert not again.is_new
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("change", [{"name": "另一个"}, {"total": 99}, {"kind": Deal.Kind.TIMES_CARD}])
def test_the_same_out_id_for_something_else_is_refused(brand: Brand, change: dict[str, Any]) -> None:
    create(brand)

    with pytest.raises(OutIdTaken):
        create(brand, **change)


def test_the_total_moves_what_is_free_and_nothing_that_offers_hold(brand: Brand) -> None:
    deal = create(brand).row
    DealStock.objects.update(free=40)

    deals.change_total(deal=deal, total=70, by=BY, at=NOW)
    assert DealStock.objects.values_list("total", "free").get() == (70, 10)

    with pytest.raises(DealStockExhausted):
        deals.change_total(deal=deal, total=59, by=BY, at=NOW)
    assert DealStock.objects.values_list("total", "free").get() == (70, 10)


@pytest.mark.parametrize("kind", Deal.Kind)
def test_terms_of_every_kind_are_numbered_and_frozen(brand: Brand, kind: Deal.Kind) -> None:
    deal, good = create(brand, kind=kind).row, GOOD[kind]
    if kind == Deal.Kind.BUNDLE:
        child = publish(create(brand, out_id="child").row, CASH).row
        good = replace(good, bundle_children=[{"terms": child.public_id, "count": 2}])

    first = publish(deal, good)
    again = publish(deal, good)
    second = publish(deal, replace(good, title="新规则"))

    assert (first.row.number, again.row, again.is_new) == (1, first.row, False)
    assert second.row.number == 2
    assert deal.terms.get(number=1).title == good.title


@pytest.mark.parametrize(
    ("new", "param"),
    [
        (replace(CASH, title=" "), "title"),
        (replace(CASH, list_price_fen=0), "list_price_fen"),
        (replace(CASH, face_value_fen=None), "face_value_fen"),
        (replace(CASH, face_value_fen=0), "face_value_fen"),
        (replace(CASH, min_spend_fen=-1), "min_spend_fen"),
        (replace(CASH, use_list_fen=[1_000, 1_000]), "use_list_fen"),
        (replace(CASH, use_list_fen=[1_999]), "use_list_fen"),
        (replace(CASH, usable_days=None), "usable_days"),
        (replace(CASH, usable_days=0), "usable_days"),
        (replace(CASH, usable_from=NOW, usable_until=NOW + timedelta(days=1)), "usable_days"),
        (replace(CASH, usable_days=None, usable_from=NOW), "usable_days"),
        (replace(CASH, usable_days=None, usable_from=NOW, usable_until=NOW), "usable_until"),
        (
            replace(CASH, usable_days=None, usable_from=NOW - timedelta(days=2), usable_until=NOW - timedelta(days=1)),
            "usable_until",
        ),
        (replace(CASH, weekdays=[0]), "weekdays"),
        (replace(CASH, day_spans=[["22:00", "10:00"]]), "day_spans"),
        (replace(CASH, day_spans=[["noon", "later"]]), "day_spans"),
        (replace(CASH, store_scope={"stores": []}), "store_scope"),
        (replace(CASH, max_per_order=0), "max_per_order"),
        (replace(CASH, discount_rate_bps=100), "discount_rate_bps"),
        (replace(CARD, use_list_fen=[5_400]), "use_list_fen"),
        (replace(DISCOUNT, discount_rate_bps=10_001), "discount_rate_bps"),
        (replace(DISCOUNT, discount_cap_fen=0), "discount_cap_fen"),
        (replace(PACKAGE, package_groups=[]), "package_groups"),
        (replace(PACKAGE, package_groups=[{"items": [{"product": f"prd_{TEA.hex}"}], "choose": 2}]), "package_groups"),
        (replace(BUNDLE, bundle_children=[{"terms": "trm_x", "count": 0}]), "bundle_children"),
    ],
)
def test_terms_that_cannot_hold_name_their_field(brand: Brand, new: NewTerms, param: str) -> None:
    kind = next((kind for kind, good in GOOD.items() if good.title == new.title), Deal.Kind.CASH)
    deal = create(brand, kind=kind).row

    with pytest.raises(TermsInvalid) as refusal:
        publish(deal, new)

    assert refusal.value.param == param
    assert DealTerms.objects.count() == 0
