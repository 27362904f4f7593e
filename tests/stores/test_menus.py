"""A store's menu: what its brand makes, where the store differs, and what may be chosen from it."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.errors import OptionNotFound, OptionsDoNotFit, ProductNotFound, ProductSoldOut
from stores.models import Brand, Option, OptionGroup, Product, Store, StoreOption, StoreProduct
from stores.queries import Menu, menu_of
from stores.services import store_menu
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())


class Shop:
    """Two drinks that share a size and toppings, at one store of two."""

    def __init__(self) -> None:
        self.brand: Brand = factories.brand()
        self.store: Store = factories.store(self.brand)
        self.other_store: Store = factories.store(self.brand)
        self.grape: Product = factories.product(self.brand, position=1)
        self.milk: Product = factories.product(self.brand, name="波波牛乳", price_fen=2_100, position=0)
        drinks = (self.grape, self.milk)
        self.size: OptionGroup = factories.option_group(self.brand, *drinks)
        self.extras: OptionGroup = factories.option_group(
            self.brand,
            *drinks,
            name="加料",
            choose_least=0,
            choose_most=2,
            options={"珍珠": 200, "芝士": 600, "椰果": 100},
        )

    def option(self, name: str) -> Option:
        return Option.objects.get(group__brand=self.brand, name=name)

    def here(self, **said: object) -> dict[str, object]:
        return {"store_id": self.store.id, "by": BY, "at": NOW, **said}

    def menu(self, store: Store | None = None) -> Menu:
        return menu_of(store or self.store, at=NOW)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_menu_shows_what_the_brand_sells_in_its_order(shop: Shop) -> None:
    factories.product(shop.brand, is_sold=False)
    factories.product(shop.brand, is_sold=False, withdrawn_at=NOW)
    factories.product(factories.brand())

    menu = shop.menu()

    assert [product.name for product in menu.products] == ["波波牛乳", "青提茉莉"]
    size, extras = menu.products[0].groups
    assert [(option.name, option.price_delta_fen, option.is_default) for option in size.options] == [
        ("中杯", 0, True),
        ("大杯", 500, False),
    ]
    assert (size.is_required, extras.is_required, extras.choose_most) == (True, False, 2)


def test_a_store_differs_alone_and_back_again_leaves_no_row(shop: Shop) -> None:
    pearls = shop.option("珍珠")
    store_menu.sell_out_product(**shop.here(product_id=shop.grape.id))
    store_menu.price_product_here(**shop.here(product_id=shop.grape.id, price_fen=2_300))
    store_menu.sell_out_option(**shop.here(option_id=pearls.id))
    store_menu.price_option_here(**shop.here(option_id=pearls.id, price_delta_fen=300))

    _, grape = shop.menu().products
    [shown] = [option for option in grape.groups[1].options if option.option_id == pearls.id]
    assert (grape.is_sold_out, grape.price_fen) == (True, 2_300)
    assert (shown.is_sold_out, shown.price_delta_fen) == (True, 300)
    elsewhere = shop.menu(shop.other_store).products[1]
    assert (elsewhere.is_sold_out, elsewhere.price_fen) == (False, 1_900)

    store_menu.product_is_back(**shop.here(product_id=shop.grape.id))
    assert shop.menu().products[1].price_fen == 2_300
    store_menu.price_product_here(**shop.here(product_id=shop.grape.id, price_fen=None))
    store_menu.price_option_here(**shop.here(option_id=pearls.id, price_delta_fen=None))
    store_menu.option_is_back(**shop.here(option_id=pearls.id))
    assert not StoreProduct.objects.exists()
    assert not StoreOption.objects.exists()


def test_saying_it_twice_leaves_one_trail(shop: Shop) -> None:
    for _ in range(2):
        store_menu.sell_out_product(**shop.here(product_id=shop.grape.id))
    for _ in range(2):
        store_menu.product_is_back(**shop.here(product_id=shop.grape.id))

    trail = AuditEntry.objects.filter(subject_id=shop.grape.id).order_by("id")
    assert [(entry.act, entry.details) for entry in trail] == [
        ("product.sold_out", {"store": shop.store.public_id}),
        ("product.back", {"store": shop.store.public_id}),
    ]


def test_another_brands_product_is_not_sold_out_here(shop: Shop) -> None:
    foreign = factories.product(factories.brand())
    foreign_option = factories.option_group(foreign.brand, foreign).options.get(name="中杯")

    with pytest.raises(ProductNotFound):
        store_menu.sell_out_product(**shop.here(product_id=foreign.id))
    with pytest.raises(OptionNotFound):
        store_menu.sell_out_option(**shop.here(option_id=foreign_option.id))


def test_a_menu_costs_the_same_statements_however_long_it_is(shop: Shop) -> None:
    with CaptureQueriesContext(
        connection,
    ) as short:
        shop.menu()
    for position in range(30):
        drink = factories.product(shop.brand, position=position)
        factories.option_group(shop.brand, drink)
        store_menu.sell_out_product(**shop.here(product_id=drink.id))
    with CaptureQueriesContext(connection) as long:
        assert len(shop.menu().products) == 32

    assert len(long) == len(short) == 4


def test_a_choice_costs_the_product_and_its_answers_here(shop: Shop) -> None:
    store_menu.price_option_here(**shop.here(option_id=shop.option("芝士").id, price_delta_fen=700))
    menu = shop.menu()

    plain = menu.choose(shop.milk.id, [])
    rich = menu.choose(shop.milk.id, [shop.option("大杯").id, shop.option("芝士").id])

    assert ([option.name for option in plain.options], plain.unit_fen) == (["中杯"], 2_100)
    assert rich.unit_fen == 2_100 + 500 + 700


def test_a_choice_answers_every_question_within_its_bounds(shop: Shop) -> None:
    menu = shop.menu()
    foreign = factories.option_group(shop.brand, options={"去冰": 0}).options.get()

    with pytest.raises(OptionsDoNotFit):
        menu.choose(shop.milk.id, [shop.option("大杯").id, shop.option("中杯").id])
    with pytest.raises(OptionsDoNotFit):
        menu.choose(shop.milk.id, [shop.option(name).id for name in ("珍珠", "芝士", "椰果")])
    with pytest.raises(OptionNotFound):
        menu.choose(shop.milk.id, [foreign.id])
    with pytest.raises(ProductNotFound):
        menu.choose(uuid4(), [])


def test_what_is_sold_out_cannot_be_chosen(shop: Shop) -> None:
    store_menu.sell_out_option(**shop.here(option_id=shop.option("珍珠").id))
    store_menu.sell_out_product(**shop.here(product_id=shop.grape.id))
    menu = shop.menu()

    with pytest.raises(ProductSoldOut) as of_option:
        menu.choose(shop.milk.id, [shop.option("珍珠").id])
    with pytest.raises(ProductSoldOut) as of_product:
        menu.choose(shop.grape.id, [])
    assert (of_option.value.details["name"], of_product.value.details["name"]) == ("珍珠", "青提茉莉")


def test_a_required_answer_that_is_gone_has_no_default(shop: Shop) -> None:
    store_menu.sell_out_option(**shop.here(option_id=shop.option("中杯").id))

    with pytest.raises(OptionsDoNotFit):
        shop.menu().choose(shop.milk.id, [])


def test_everybody_reads_the_menu_over_http(shop: Shop) -> None:
    answer = Client().get(f"/api/v1/stores/{shop.store.public_id}/menu")

    assert answer.status_code == 200
    menu = answer.json()
    assert [product["name"] for product in menu["products"]] == ["波波牛乳", "青提茉莉"]
    assert menu["products"][0]["groups"] == [shop.size.public_id, shop.extras.public_id]
    assert [group["id"] for group in menu["groups"]] == [shop.size.public_id, shop.extras.public_id]
    assert menu["groups"][1]["options"][0]["name"] == "珍珠"


def test_a_store_that_is_gone_has_no_menu(shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(status="closed", closed_at=NOW)

    for store in (shop.store.public_id, "sto_" + "0" * 32):
        answer = Client().get(f"/api/v1/stores/{store}/menu")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "store_not_found")
