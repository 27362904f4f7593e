"""Every page of the console, looked at in both languages and both schemes; ``make screens`` keeps pictures of some."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.browser import pictures
from tests.browser.conftest import serious_problems, sign_in
from tests.orders import ordering
from tests.orders.ordering import move
from tests.vouchers.counters import Counter
from vouchers.models import Voucher

KEY_PAGES = ("scan", "basket", "success", "refused", "orders")


@pytest.fixture
def morning(counter: Counter) -> list[Voucher]:
    """A store in the middle of a morning: a menu, orders in every state, and vouchers to redeem."""
    now = datetime.now(UTC)
    size = {"中杯": 0, "大杯": 300}
    products = [
        factories.product(counter.brand, name=name, price_fen=fen, code=name)
        for name, fen in (("屿见乌龙奶茶", 1_600), ("栀香青柠", 1_500), ("海盐芝士青提", 1_900))
    ]
    factories.option_group(counter.brand, *products, options=size)
    ages = ((2, ()), (6, ("accept", "begin_making")), (9, ("accept", "begin_making", "ready")), (0, ()))
    for (minutes, acts), product in zip(ages, [*products, products[0]], strict=True):
        at = now - timedelta(minutes=minutes)
        bought = counter.voucher(bought_at=now - timedelta(minutes=30))
        order = ordering.confirmed(counter, voucher=bought, at=at, product=product)
        move(counter, order, *acts, at=at + timedelta(minutes=1, seconds=1))
    her, his = (factories.customer(counter.brand, phone_tail=tail) for tail in ("6021", "8834"))
    cash = counter.terms(title="满 30 减 8 代金券", face_value_fen=800, min_spend_fen=3_000)
    card = counter.terms(kind="times_card", title="乌龙三次卡")
    used = counter.voucher(card, customer=his, bought_at=now)
    counter.redeem(used.code, at=now)
    return [counter.voucher(cash, customer=her, bought_at=now), used]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_every_page_of_the_console_is_for_everybody(
    counter: Counter, morning: list[Voucher], visit: Any, locale: str, scheme: str
) -> None:
    page = visit(locale=locale, color_scheme=scheme).page
    cash, card = morning

    def looked_at(name: str) -> None:
        pictures.looked_at(page, f"console-{name}", locale, scheme, is_key=name in KEY_PAGES)

    page.goto("/console/sign-in/")
    looked_at("sign_in")
    sign_in(page, counter)
    looked_at("scan")
    for path in ("today", "orders", "menu", "more", "tour/3", "shift"):
        page.goto(f"/console/{path}/")
        looked_at(path.replace("/", ""))
    page.goto("/console/")
    page.locator("#code").press_sequentially(cash.code)
    expect(page.locator("#redeem-button")).to_be_enabled()
    page.locator("a[href*='?basket=']").click()
    page.locator("#code").press_sequentially(card.code)
    expect(page.locator(".voucher-row")).to_have_count(2)
    page.fill("#bill", "46.00")
    expect(page.locator("#total .money")).to_be_visible()
    looked_at("basket")
    page.locator("#redeem-button").click()
    expect(page.locator(".result-head.is-done")).to_be_visible()
    looked_at("success")
    page.locator("#scan-next").click()
    page.locator("#code").press_sequentially(cash.code)
    expect(page.locator(".result-head.is-stop")).to_be_visible()
    looked_at("refused")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_component_is_for_everybody(visit: Any, settings: Any, scheme: str) -> None:
    settings.DEBUG = True
    page = visit(color_scheme=scheme).page

    page.goto("/styleguide/")

    expect(page.get_by_role("heading", name="Styleguide")).to_be_visible()
    assert serious_problems(page) == []
