"""What phones and people do to pages: upgrades under an open app, rubbish pasted, answers lost, sessions that end."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from config.kernel.ids import parse
from config.pages.console import installing
from config.pages.design import sandbox_till
from orders.models import Payment, StoreOrder
from stores.models import CustomerSession
from tests.browser.conftest import Visitor, until
from tests.browser.moving import go_back, reload
from tests.pages.shop_stand import Shop, now, open_shop, take_the_money
from vouchers.models import Redemption


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return open_shop()


@pytest.fixture
def her(visit: Any, shop: Shop, live_server: Any) -> Page:
    """A customer who is signed in, with two cups in her cart."""
    shop.choose_store()
    shop.pick(quantity="2")
    visitor: Visitor = visit(permissions=[])
    site = urlsplit(live_server.url)
    visitor.context.add_cookies(
        [
            {"name": name, "value": one.value, "domain": str(site.hostname), "path": one["path"] or shop.url()}
            for name, one in shop.client.cookies.items()
        ]
    )
    return visitor.page


def test_an_installed_console_takes_an_upgrade_and_keeps_no_old_file(
    clerk: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = clerk.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    [before] = page.evaluate("caches.keys()")

    monkeypatch.setattr(installing, "_version", lambda files: "upgraded")
    page.evaluate("navigator.serviceWorker.getRegistration().then((installed) => installed.update()).then(() => true)")
    until(page, "caches.keys().then((names) => names.join() === 'console-upgraded')")
    reload(page)

    assert before != "console-upgraded"
    expect(page.locator("#code")).to_be_visible()


def test_without_a_network_an_installed_console_says_so_and_comes_back(clerk: Visitor) -> None:
    page = clerk.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    until(page, "caches.match('/console/offline/').then(Boolean)")
    reload(page)  # from now on the worker serves it

    clerk.context.set_offline(True)
    page.goto("/console/today/")
    expect(page.get_by_role("heading", name="网络断了")).to_be_visible()
    clerk.context.set_offline(False)
    page.get_by_role("link", name="再试一次").click()

    expect(page.locator("#code")).to_be_visible()


@pytest.mark.parametrize(
    "rubbish",
    [
        "😀🧋👩‍👩‍👧",
        "<script>alert(1)</script>",
        "4826" * 60,
        "https://example.org/?a=1&b=2",
        "'; DROP TABLE --",
        "\u202e\u0000x",
    ],
)
def test_rubbish_that_was_pasted_is_answered_with_a_sentence(clerk: Visitor, rubbish: str) -> None:
    page = clerk.page

    page.fill("#code", rubbish)
    page.locator("#code").press("Enter")

    said = page.locator(".result-head.is-stop p, #code-error:not(:empty)").first
    expect(said).to_contain_text(re.compile(r"[\u4e00-\u9fff]{4}"))
    assert not Redemption.objects.exists()


def test_an_order_whose_answer_was_lost_is_asked_for_again_and_is_one(shop: Shop, her: Page) -> None:
    sent: list[str | None] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.post_data)
        if len(sent) == 1:
            route.fetch(max_redirects=0)
            route.abort("connectionreset")
        else:
            route.continue_()

    her.goto(shop.url("confirm/"))
    her.route("**/confirm/", lose_the_first)
    her.locator(".sheet button.is-big").click()
    her.wait_for_url("**/pay/**")

    assert len(sent) == 2
    assert StoreOrder.objects.count() == 1


def test_a_second_tap_and_a_second_tab_are_one_order(shop: Shop, her: Page) -> None:
    other = her.context.new_page()
    for page in (her, other):
        page.goto(shop.url("confirm/"))

    her.locator(".sheet button.is-big").dblclick()
    her.wait_for_url("**/pay/**")
    other.locator(".sheet button.is-big").click()
    other.wait_for_url("**/pay/**")

    assert StoreOrder.objects.count() == 1


def test_a_session_that_ended_in_the_cart_is_begun_again_and_the_cart_is_as_it_was(shop: Shop, her: Page) -> None:
    her.goto(shop.url("cart/"))
    CustomerSession.objects.update(ended_at=now())

    her.locator(".stepper .is-more").click()
    her.wait_for_url("**/sign-in/**")
    her.fill("#phone", "138 1234 5678")
    her.get_by_role("button", name="获取验证码").click()
    her.wait_for_url("**/code/**")
    her.fill("#code", her.locator("[data-sandbox-code]").get_attribute("data-sandbox-code") or "")
    her.get_by_role("button", name="登录").click()
    her.wait_for_url(f"**{shop.url('cart/')}")

    expect(her.locator(".stepper output")).to_have_text("2")


def test_after_paying_a_step_back_leads_on_and_pays_nothing_twice(
    shop: Shop, her: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid: list[str] = []

    def pay(parameters: dict[str, Any]) -> bool:
        paid.append(parameters["reference"])
        take_the_money(parse(Payment.PREFIX, parameters["reference"]))
        return True

    monkeypatch.setattr(sandbox_till, "pay", pay)
    her.goto(shop.url("confirm/"))
    her.locator(".sheet button.is-big").click()
    her.wait_for_url("**/pay/**")
    her.locator("main button.is-big").click()
    her.wait_for_url("**/orders/**")
    expect(her.locator(".pickup-number")).to_be_visible()

    go_back(her)
    expect(her.locator("main")).not_to_be_empty()
    reload(her)
    expect(her.locator("main")).not_to_be_empty()

    assert len(paid) == 1
    assert StoreOrder.objects.count() == 1
