"""The whole story as its people live it, each in a browser of her own: head office, two customers, a clerk."""

import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from config.kernel.ids import parse
from config.pages.design import sandbox_till
from livestream.models import LiveSession
from orders.models import Payment, Purchase, StoreOrder
from tests import factories
from tests.browser.camera import FakeCamera
from tests.browser.conftest import PASSWORD, Visitor, sign_in
from tests.browser.moving import reload
from tests.pages.shop_stand import HANGZHOU, Shop, now, open_shop, take_the_money
from tests.vouchers.counters import Counter
from vouchers import qr
from vouchers.models import Redemption, Voucher

HERE = {"latitude": HANGZHOU[0], "longitude": HANGZHOU[1]}


@pytest.fixture
def shop(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A brand whose sale is prepared and not open yet; its provider takes money at once."""
    made = open_shop()
    made.offer("任选中杯单杯券", allotment=2)
    LiveSession.objects.update(state=LiveSession.State.DRAFT, opened_at=None)

    def paid(parameters: dict[str, Any]) -> bool:
        take_the_money(parse(Payment.PREFIX, parameters["reference"]))
        return True

    monkeypatch.setattr(sandbox_till, "pay", paid)
    return made


@pytest.fixture
def counter(shop: Shop) -> Counter:
    """The near store's counter, and the clerk who stands there."""
    clerk = factories.staff(shop.brand, store=shop.store).user
    clerk.display_name = "陈雨"
    clerk.set_password(PASSWORD)
    clerk.save()
    return Counter(shop.brand, shop._counter.entity, shop.store, clerk)


def open_the_sale(visit: Any, shop: Shop) -> None:
    """Head office, with its own program: signs in, and opens the session."""
    operator = factories.staff(shop.brand, role="operator").user
    operator.set_password(PASSWORD)
    operator.save()
    api = visit().context.request
    signed_in = api.post("/api/v1/staff/sign-in", data={"username": operator.username, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {signed_in.json()['token']}", "Idempotency-Key": str(uuid4())}
    opened = api.post(f"/api/v1/sessions/{shop.session.public_id}/open", headers=headers)
    assert opened.ok, opened.text()


def sign_in_by_phone(page: Page, shop: Shop, phone: str) -> None:
    page.goto(shop.url("sign-in/"))
    page.fill("#phone", phone)
    page.get_by_role("button", name="获取验证码").click()
    page.wait_for_url("**/code/**")
    page.fill("#code", page.locator("[data-sandbox-code]").get_attribute("data-sandbox-code") or "")
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{shop.url()}")


def buy(page: Page, shop: Shop) -> None:
    page.goto(shop.url())
    page.locator(".offer").get_by_role("button", name="抢购").click()
    page.wait_for_url("**/pay/**")
    page.locator("main button.is-big").click()
    expect(page.get_by_role("heading", name="券到手了")).to_be_visible()
    page.get_by_role("link", name="看券，去使用").click()
    page.wait_for_url("**/wallet/vch_*/")


def long_lived_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes minutes from showing to reading is right, too."""
    made = qr.token_for
    monkeypatch.setattr(qr, "token_for", lambda *, at, **of: made(at=at + timedelta(minutes=10), **of))


def at_the_board(page: Page, order: StoreOrder, *acts: tuple[str, str]) -> None:
    """Each act of the clerk: the column it is in, and what she taps."""
    for column, act in acts:
        page.locator(f"[data-shows=column-{column}]").click()
        page.locator(f"#{order.public_id}").get_by_role("button", name=act).click()


def test_a_sale_from_its_opening_to_the_last_cup(
    visit: Any, shop: Shop, counter: Counter, camera: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_lived_codes(monkeypatch)
    # She is there before the sale opens, and signs in. The phone of the other is an hour off.
    she: Visitor = visit(geolocation=HERE, permissions=["geolocation"])
    she.page.goto(shop.url())
    expect(she.page.get_by_text("现在没有在卖的券")).to_be_visible()
    sign_in_by_phone(she.page, shop, "138 1111 2222")
    he: Visitor = visit()
    he.page.clock.install(time=now() - timedelta(hours=1))
    sign_in_by_phone(he.page, shop, "138 3333 4444")
    clerk: Visitor = visit()
    sign_in(clerk.page, counter)

    # Head office opens the sale; both buy, and then it is sold out.
    open_the_sale(visit, shop)
    buy(she.page, shop)
    buy(he.page, shop)
    late: Visitor = visit()
    late.page.goto(shop.url())
    expect(late.page.locator(".offer").get_by_role("button", name="已抢完")).to_be_visible()

    # She orders with her voucher: four taps at most, and a number to call.
    she.page.get_by_role("button", name="去使用").click()
    she.page.wait_for_url("**/cart/")
    expect(she.page.get_by_text("已为您用上 1 张券")).to_be_visible()
    she.page.get_by_role("link", name="去确认").click()
    she.page.get_by_role("button", name="确认下单").click()
    she.page.wait_for_url("**/orders/**")
    order = StoreOrder.objects.get()
    expect(she.page.locator(".pickup-number")).to_have_text(str(order.pickup_number))

    # The clerk makes it (her minute to cancel is over), and it turns green on her phone.
    StoreOrder.objects.update(confirmed_at=now() - timedelta(minutes=2))
    clerk.page.goto("/console/orders/")
    at_the_board(clerk.page, order, ("new", "接单"), ("making", "开始做"), ("making", "做好了"))
    expect(she.page.locator(".pickup-card.is-ready")).to_be_visible()
    she.page.get_by_role("button", name="我取到了").click()
    expect(she.page.get_by_text("已取餐")).to_be_visible()
    reload(clerk.page)
    expect(clerk.page.locator(f"#{order.public_id}")).to_have_count(0)

    # He shows his code; her camera reads it off his screen. Redeemed, undone, and his again.
    camera.show_picture(Image.open(io.BytesIO(he.page.locator(".qr").screenshot())))
    try:
        clerk.page.goto("/console/")
        clerk.page.get_by_role("button", name="核销 1 张").click()
    finally:
        camera.show_nothing()
    expect(clerk.page.get_by_role("heading", name="核销成功")).to_be_visible()
    clerk.page.get_by_role("button", name="撤销核销").click()
    clerk.page.get_by_role("dialog").get_by_role("button", name="撤销核销").click()
    expect(clerk.page.get_by_text("已退回给顾客").first).to_be_visible()

    states = Voucher.objects.order_by("ordinal", "id").values_list("status", flat=True)
    assert sorted(states) == ["issued", "used"]
    assert Purchase.objects.filter(status="issued").count() == 2
    assert Redemption.objects.filter(reversed_at=None).count() == 1
    reload(he.page)
    expect(he.page.locator(".qr")).to_be_visible()
