"""Every page of the shop, looked at in both languages and both schemes; ``make screens`` keeps pictures of some."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from config.kernel.ids import public
from config.pages.shop.frame import COOKIE
from orders.models import StoreOrder
from stores.models import Option, Product
from tests import factories
from tests.browser import pictures
from tests.pages.shop_stand import HANGZHOU, Shop, now, open_shop
from vouchers.models import Offer, Voucher

pytestmark = pytest.mark.django_db(transaction=True)

KEY_PAGES = ("live", "ticket", "cart", "confirm", "order")


@pytest.fixture
def evening(transactional_db: None) -> Shop:
    """A brand in the middle of a sale, and a customer with four vouchers and four cups in her cart."""
    shop = open_shop(name="青屿茶")
    cups = Cups(shop)
    one_cup = {"list_price_fen": 1_600, "use_list_fen": [1_600], "package_groups": cups.any_medium, "max_per_order": 2}
    single = shop.offer("任选中杯单杯券", kind="package", allotment=20_000, sold=18_716, terms=one_cup)
    ten = {"list_price_fen": 16_000, "use_list_fen": [1_600] * 10, "refunds_on_expiry": True}
    shop.offer(
        "乌龙十次卡", kind="times_card", price_fen=10_900, allotment=9_400, sold=3_190, per_customer_limit=2, terms=ten
    )
    eight_off = {"face_value_fen": 800, "min_spend_fen": 3_000, "stacking_group": "满减"}
    fifty = {"list_price_fen": 5_000, "use_list_fen": [5_000], "face_value_fen": 5_000, "stacking_group": "代金"}
    later = shop.offer("满 30 减 8 代金券", price_fen=600, terms=eight_off)
    gone = shop.offer("50 元代金券", price_fen=4_000, allotment=500, sold=500, terms=fifty)
    Offer.objects.filter(pk=later.pk).update(opens_at=now() + timedelta(minutes=8))
    shop.vouchers(single.terms, count=2, paid_fen=990)
    shop.vouchers(later.terms, paid_fen=0)
    shop.vouchers(gone.terms, paid_fen=4_000)
    shop.stand_at(HANGZHOU)
    shop.choose_store()
    for product, size, quantity in ((shop.oolong, "中杯", 2), (cups.lime, "大杯", 1), (shop.grape, "中杯", 1)):
        shop.pick(product, quantity=str(quantity), **{f"option:{cups.group.public_id}": cups.sizes[size]})
    return shop


class Cups:
    """Three drinks in two sizes, of which a voucher pays for any medium one."""

    def __init__(self, shop: Shop) -> None:
        self.lime = factories.product(shop.brand, name="栀香青柠", name_en="Gardenia lime", price_fen=1_500, position=2)
        drinks: list[Product] = [shop.oolong, self.lime, shop.grape]
        self.group = factories.option_group(shop.brand, *drinks, options={"中杯": 0, "大杯": 300}, name_en="Size")
        self.sizes = {option.name: public(Option.PREFIX, option.id) for option in self.group.options.all()}
        chosen = {self.group.public_id: [self.sizes["中杯"]]}
        items = [{"product": drink.public_id, "count": 1, "options": chosen} for drink in drinks]
        self.any_medium = [{"name": "饮品", "choose": 1, "items": items}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_every_page_of_the_shop_is_for_everybody(
    evening: Shop, visit: Any, live_server: Any, locale: str, scheme: str
) -> None:
    shop = evening
    # What fades in is judged when it is there.
    visitor = visit(locale=locale, color_scheme=scheme, permissions=[], reduced_motion="reduce")
    page: Page = visitor.page

    def looked_at(name: str) -> None:
        pictures.looked_at(page, f"shop-{name}", locale, scheme, is_key=name in KEY_PAGES)

    for name, path in (("stranger", ""), ("sign_in", "sign-in/")):
        page.goto(shop.url(path))
        looked_at(name)
    page.fill("#phone", "138 9999 0000")
    page.click("main button.is-big")
    page.wait_for_url("**/code/**")
    looked_at("code")
    as_she_left_it(visitor.context, shop, live_server.url)
    [voucher, *_] = Voucher.objects.filter(customer_id=shop.customer.id).order_by("id")
    listing = shop.session.listings.order_by("position", "id")[0].public_id
    ticket = f"wallet/{voucher.public_id}/"
    paths = {
        "live": "",
        "deal": f"listings/{listing}/",
        "wallet": "wallet/",
        "ticket": ticket,
        "rules": f"{ticket}rules/",
        "refund": f"{ticket}refund/",
        "stores": "stores/",
        "menu": "menu/",
        "product": f"menu/{shop.oolong.public_id}/",
        "cart": "cart/",
        "confirm": "confirm/",
        "orders": "orders/",
        "me": "me/",
    }
    for name, path in paths.items():
        page.goto(shop.url(path))
        looked_at(name)
    page.goto(shop.url("confirm/"))
    page.locator(".sheet button.is-big").click()
    page.wait_for_url("**/pay/**")
    looked_at("pay")
    at = now() - timedelta(minutes=3)
    StoreOrder.objects.update(status="making", pickup_number=128, confirmed_at=at, accepted_at=at, making_at=now())
    page.goto(shop.url(f"orders/{StoreOrder.objects.get().public_id}/"))
    expect(page.locator(".pickup-number")).to_have_text("128")
    looked_at("order")


def as_she_left_it(context: Any, shop: Shop, site: str) -> None:
    """Signed in, with the cart of the test's own client."""
    context.add_cookies(
        [{"name": name, "value": shop.client.cookies[name].value, "url": site} for name in (COOKIE, "sessionid")]
    )
