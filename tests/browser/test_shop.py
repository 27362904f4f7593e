"""The customer's story in a real browser: live room, voucher, cart, pick-up number."""

import gzip
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from playwright.sync_api import expect

from config.accounts import tokens
from config.kernel.errors import TokenExpired
from config.kernel.ids import parse
from config.pages.design import sandbox_till
from orders.models import Payment, Purchase, StoreOrder
from orders.services import order_moves
from tests import factories
from tests.browser.moving import go_back, reload
from tests.pages.shop_stand import HANGZHOU, Shop, now, open_shop, take_the_money
from vouchers.models import Offer, Voucher

pytestmark = pytest.mark.django_db(transaction=True)

HERE = {"latitude": HANGZHOU[0], "longitude": HANGZHOU[1]}
Open = Callable[..., Any]


@pytest.fixture
def opened(visit: Any) -> Open:
    """``opened(locale="en-GB", width=320)``: a page of a fresh browser on a phone."""

    def open_page(*, width: int = 390, height: int = 844, **options: Any) -> Any:
        viewport = {"width": width, "height": height}
        # What fades in is judged when it is there.
        still = {"permissions": [], "timezone_id": "Asia/Shanghai", "reduced_motion": "reduce"}
        return visit(**{**still, "viewport": viewport, **options}).page

    return open_page


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    """Two sizes to choose from, three vouchers on sale, the longest of names among them."""
    made = open_shop()
    factories.option_group(made.brand, made.oolong)
    made.offer("任选中杯单杯券", allotment=2_000)
    made.offer(
        "浙江省杭州市滨江区江南大道天街购物中心专享乌龙十次卡", kind="times_card", price_fen=1_234_500, allotment=87
    )
    made.offer("满 30 减 8 代金券", allotment=50, terms={"min_spend_fen": 3_000, "refunds_on_expiry": True})
    return made


@pytest.fixture(autouse=True)
def till(monkeypatch: pytest.MonkeyPatch) -> None:
    def paid(parameters: dict[str, Any]) -> bool:
        take_the_money(parse(Payment.PREFIX, parameters["reference"]))
        return True

    monkeypatch.setattr(sandbox_till, "pay", paid)


def sign_in(page: Any, phone: str = "138 1234 5678") -> None:
    page.fill("#phone", phone)
    page.click("main button.is-big")
    page.wait_for_url("**/code/**")
    page.fill("#code", page.get_attribute("[data-sandbox-code]", "data-sandbox-code"))
    page.click("main button.is-big")


def overflows(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def walk(page: Any, shop: Shop, at_each: Callable[[str], None]) -> StoreOrder:
    """The whole story, by tapping; ``at_each`` looks at every page on the way."""
    page.goto(shop.url())
    at_each("live")
    page.locator(".offer").first.get_by_role("button").click()
    page.wait_for_url("**/sign-in/**")
    at_each("sign_in")
    sign_in(page)
    page.wait_for_url(f"**{shop.url()}")
    page.locator(".offer").first.get_by_role("button").click()
    page.wait_for_url("**/pay/**")
    at_each("pay")
    page.locator("main button.is-big").click()
    page.wait_for_url("**/purchases/**")
    at_each("purchase")
    page.goto(shop.url("wallet/"))
    at_each("wallet")
    page.locator(".voucher-card").first.click()
    page.wait_for_url("**/wallet/vch_*/")
    at_each("ticket")
    page.locator("form[data-locate] button").click()  # 1
    page.wait_for_url("**/cart/")
    at_each("cart")
    page.locator(".pay-bar .button").click()  # 2
    page.wait_for_url("**/confirm/")
    at_each("confirm")
    page.locator(".sheet button.is-big").click()  # 3
    page.wait_for_url(re.compile(r"/(orders|pay)/"))
    if "/pay/" in page.url:
        page.locator("main button.is-big").click()  # 4
        page.wait_for_url("**/orders/**")
    at_each("order")
    return StoreOrder.objects.get()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_from_the_live_room_to_a_pick_up_number(opened: Open, shop: Shop, locale: str) -> None:
    page = opened(locale=locale, geolocation=HERE, permissions=["geolocation"])

    order = walk(page, shop, lambda name: None)

    assert str(order.pickup_number) in page.inner_text(".pickup-number")
    assert page.locator("html").get_attribute("lang") == ("en" if locale.startswith("en") else "zh-Hans")


@pytest.mark.parametrize(("width", "letters"), [(320, "100%"), (390, "200%")])
def test_nothing_is_wider_than_the_phone(opened: Open, shop: Shop, width: int, letters: str) -> None:
    page = opened(width=width, height=640, geolocation=HERE, permissions=["geolocation"])
    wide: list[str] = []

    def look(name: str) -> None:
        page.evaluate("letters => { document.documentElement.style.fontSize = letters }", letters)
        if overflows(page):
            wide.append(name)

    walk(page, shop, look)

    assert wide == []


def test_two_fast_taps_buy_once(opened: Open, shop: Shop) -> None:
    page = opened()
    page.goto(shop.url("sign-in/"))
    sign_in(page)
    page.wait_for_url(f"**{shop.url()}")

    page.locator(".offer").first.get_by_role("button").dblclick()
    page.wait_for_url("**/pay/**")
    page.locator("main button.is-big").dblclick()
    page.wait_for_url("**/purchases/**")

    assert Purchase.objects.count() == 1
    assert Voucher.objects.count() == 1


def signed_in(page: Any, shop: Shop) -> None:
    page.goto(shop.url("sign-in/"))
    sign_in(page)
    page.wait_for_url(f"**{shop.url()}")


def test_a_purchase_goes_to_the_lane_and_one_whose_answer_was_lost_is_asked_for_again(opened: Open, shop: Shop) -> None:
    page, keys, to_the_site = opened(), [], []
    signed_in(page, shop)
    page.on("request", lambda request: to_the_site.append(request.url) if request.url.endswith("/buy/") else None)

    def lose_the_first(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/live/*/purchases", lose_the_first)
    page.locator(".offer").first.get_by_role("button", name="抢购").click()
    page.wait_for_url("**/pay/**")

    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert to_the_site == []
    assert Purchase.objects.count() == 1


def test_who_comes_too_late_hears_so_on_the_card_and_asks_the_site_nothing(opened: Open, shop: Shop) -> None:
    page, asked = opened(), []
    signed_in(page, shop)
    card = page.locator(".offer").first
    Offer.objects.update(sold=F("allotment"))
    page.on("request", lambda request: asked.append(request.url) if "/shop/" in request.url else None)

    card.get_by_role("button", name="抢购").click()

    expect(card.get_by_role("status")).to_contain_text("抢完")
    expect(card.get_by_role("button", name="已抢完")).to_be_visible()
    assert asked == []


def test_a_token_that_is_over_is_no_lost_sale(opened: Open, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened()
    signed_in(page, shop)
    monkeypatch.setattr(tokens, "read_token", refuse_as_over)

    page.locator(".offer").first.get_by_role("button", name="抢购").click()
    page.wait_for_url("**/pay/**")

    assert Purchase.objects.count() == 1


def refuse_as_over(text: str, at: Any) -> None:
    raise TokenExpired


def test_on_a_phone_an_hour_off_the_sale_begins_when_the_server_says(opened: Open, shop: Shop) -> None:
    """Countdowns run by the server's clock, and at zero the server is asked: buying then works."""
    Offer.objects.update(opens_at=now() + timedelta(minutes=10))
    page = opened()
    page.clock.install(time=now() - timedelta(hours=1))
    signed_in(page, shop)
    card = page.locator(".offer").first
    expect(card.locator("time.countdown")).to_contain_text(re.compile("^0[0-9]:[0-5][0-9]$"))

    with page.expect_response("**/api/v1/live/*"):
        page.clock.fast_forward(timedelta(minutes=10) // timedelta(milliseconds=1))
    expect(card.get_by_role("button", name="抢购")).to_be_hidden()
    Offer.objects.update(opens_at=now() - timedelta(seconds=1))
    card.get_by_role("button", name="抢购").click()
    page.wait_for_url("**/pay/**")

    assert Purchase.objects.count() == 1


def test_the_link_that_brought_her_is_remembered_while_she_looks_around(opened: Open, shop: Shop) -> None:
    promoter = factories.promoter(shop.brand)
    page = opened()
    page.goto(f"{shop.url()}?from={promoter.code}")
    page.locator(".offer h2 a").first.click()
    page.wait_for_url("**/listings/**")
    page.locator(".offer").get_by_role("button", name="抢购").click()
    page.wait_for_url("**/sign-in/**")
    sign_in(page)
    page.wait_for_url("**/listings/**")
    page.locator(".offer").get_by_role("button", name="抢购").click()
    page.wait_for_url("**/pay/**")

    assert Purchase.objects.get().promoter_id == promoter.id


def test_reload_and_back_in_every_state_are_never_blank_and_never_a_second_order(opened: Open, shop: Shop) -> None:
    page = opened(geolocation=HERE, permissions=["geolocation"])
    blank: list[str] = []

    def look(name: str) -> None:
        reload(page)
        if len(page.inner_text("main")) < 10:
            blank.append(name)

    walk(page, shop, look)
    for _ in range(12):
        go_back(page)
        if page.url == "about:blank":
            break
        if len(page.inner_text("main")) < 10:
            blank.append(f"back to {page.url}")

    assert blank == []
    assert StoreOrder.objects.count() == Purchase.objects.count() == 1


def test_the_cart_is_counted_anew_at_every_tap_and_keeps_the_focus(opened: Open, shop: Shop) -> None:
    shop.vouchers(shop.terms("满 30 减 8 代金券", min_spend_fen=3_000, face_value_fen=800), paid_fen=100)
    page = opened()
    page.goto(shop.url("sign-in/"))
    sign_in(page)
    page.goto(shop.url("stores/"))
    page.get_by_role("button", name=re.compile("滨江天街店")).click()
    page.locator(".menu-row").first.get_by_role("link").click()
    page.get_by_role("radio", name=re.compile("大杯")).check()
    page.get_by_role("button", name="加入购物车").click()
    page.locator(".cart-bar").click()
    assert "还差 ¥9.00 可用" in page.inner_text("#plan")

    page.locator(".stepper .is-more").focus()
    page.keyboard.press("Enter")
    page.get_by_text("已为您用上 1 张券").wait_for()

    assert "¥34.00" in page.inner_text(".pay-bar")
    assert page.evaluate("document.activeElement.id").startswith("more-")


def test_a_code_rotates_while_it_is_looked_at(opened: Open, shop: Shop) -> None:
    [voucher] = shop.vouchers()
    page = opened()
    page.clock.install()
    page.goto(shop.url("sign-in/"))
    sign_in(page)
    page.wait_for_url(f"**{shop.url()}")
    page.goto(shop.url(f"wallet/{voucher.public_id}/"))
    first = page.inner_html(".qr > svg")

    with page.expect_response("**/code/"):
        page.clock.fast_forward(31_000)
    expect(page.locator(".qr > svg")).not_to_have_js_property("innerHTML", first)


def test_an_order_that_is_ready_turns_green_by_itself(opened: Open, shop: Shop) -> None:
    page = opened(geolocation=HERE, permissions=["geolocation"])
    order = walk(page, shop, lambda name: None)
    StoreOrder.objects.update(confirmed_at=order.placed_at.replace(year=order.placed_at.year - 1))
    by = {"store_id": shop.store.id, "by": order_moves.Caller(kind="staff", id=shop._counter.clerk.id)}
    for move in (order_moves.accept, order_moves.begin_making, order_moves.ready):
        move(order_id=order.id, at=now(), **by)  # type: ignore[operator]

    page.locator(".pickup-card.is-ready").wait_for()

    assert "可以取了" in page.title()
    assert "ready.svg" in page.get_attribute("link[rel=icon]", "href")


def test_without_a_location_a_store_is_found_by_its_name(opened: Open, shop: Shop) -> None:
    [voucher] = shop.vouchers()
    page = opened()
    page.goto(shop.url("sign-in/"))
    sign_in(page)
    page.wait_for_url(f"**{shop.url()}")
    page.goto(shop.url(f"wallet/{voucher.public_id}/"))

    page.locator("form[data-locate] button").click()
    page.wait_for_url("**/stores/**")
    page.get_by_role("button", name=re.compile("西湖文化广场店")).click()
    page.wait_for_url("**/cart/")

    assert "西湖文化广场店" in page.inner_text(".here-row")


def test_a_first_visit_is_light(opened: Open, shop: Shop) -> None:
    """100 KB and 20 requests are the budget; compressed here, because the tests' server does not."""
    page, sizes = opened(), []
    page.on("response", lambda answer: sizes.append((answer.url, len(gzip.compress(answer.body())))))

    page.goto(shop.url(), wait_until="networkidle")

    assert len(sizes) <= 20, [url for url, _ in sizes]
    assert sum(size for _, size in sizes) <= 100_000, sizes
