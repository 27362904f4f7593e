"""A clerk at her counter, in a real browser: the camera, the network, the session, and two taps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect

from tests import factories
from tests.browser.camera import FakeCamera
from tests.browser.conftest import PASSWORD, Visitor, serious_problems, sign_in
from tests.browser.moving import go_back
from tests.vouchers.counters import Counter
from vouchers import qr
from vouchers.models import Redemption, Voucher


def bought(counter: Counter, **fields: Any) -> Voucher:
    customer = factories.customer(counter.brand, phone_tail="6021")
    return counter.voucher(counter.terms(**fields), customer=customer, bought_at=datetime.now(UTC))


def type_code(page: Page, code: str) -> None:
    page.locator("#code").press_sequentially(code)


def ready_to_redeem(page: Page, voucher: Voucher) -> None:
    type_code(page, voucher.code)
    expect(page.locator("#redeem-button")).to_be_enabled()


def redemptions_of(voucher: Voucher) -> int:
    return Redemption.objects.filter(voucher=voucher).count()


def test_the_camera_reads_a_customers_qr(counter: Counter, clerk: Visitor, camera: FakeCamera) -> None:
    voucher = bought(counter)
    at = datetime.now(UTC) + timedelta(minutes=10)  # a machine that takes minutes to read it is right, too
    camera.show(qr.token_for(brand_id=counter.brand.id, code=voucher.code, at=at).text)
    try:
        clerk.page.goto("/console/")
        expect(clerk.page.get_by_role("heading", name="1 张可用")).to_be_focused()
        clerk.page.get_by_role("button", name="核销 1 张").click()
        expect(clerk.page.get_by_role("heading", name="核销成功")).to_be_focused()
    finally:
        camera.show_nothing()

    assert redemptions_of(voucher) == 1
    clerk.page.reload()
    expect(clerk.page.get_by_role("heading", name="核销成功")).to_be_visible()


def test_a_refused_camera_leaves_the_code(counter: Counter, visit: Any) -> None:
    page = visit(permissions=[]).page
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    sign_in(page, counter)

    expect(page.get_by_text("没有相机权限，可以输入券号")).to_be_visible()
    expect(page.locator("#code")).to_be_focused()


def test_a_wrong_digit_is_told_while_typing_and_sends_nothing(counter: Counter, clerk: Visitor) -> None:
    code = bought(counter).code
    asked: list[str] = []
    clerk.page.on("request", lambda request: asked.append(request.url))

    type_code(clerk.page, code[:-1] + str((int(code[-1]) + 1) % 10))

    expect(clerk.page.get_by_text("号码对不上，请再核对一遍")).to_be_visible()
    clerk.page.locator("#code").press("Enter")
    expect(clerk.page.locator("#code")).to_have_attribute("aria-invalid", "true")
    assert not [url for url in asked if "/prepare/" in url]


def test_spaces_dashes_and_full_width_digits_are_put_right_in_sight(counter: Counter, clerk: Visitor) -> None:
    code = bought(counter).code
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    page = clerk.page
    with page.expect_request("**/prepare/") as sent:
        page.locator("#code").fill(f"{wide[:4]} — {wide[4:]}")

    assert code in sent.value.post_data.replace("+", "").replace("%20", "")
    expect(page.locator("#redeem-button")).to_be_enabled()


def test_a_wedge_scanner_types_wherever_the_focus_is(counter: Counter, clerk: Visitor) -> None:
    voucher = bought(counter)
    clerk.page.locator("body").evaluate("document.activeElement.blur()")

    clerk.page.keyboard.type(voucher.code)
    clerk.page.keyboard.press("Enter")

    expect(clerk.page.get_by_role("heading", name="1 张可用")).to_be_visible()


def test_two_taps_redeem_once(counter: Counter, clerk: Visitor) -> None:
    card = bought(counter, kind="times_card")
    ready_to_redeem(clerk.page, card)

    clerk.page.locator("#redeem-button").evaluate("button => { button.click(); button.click(); }")

    expect(clerk.page.get_by_role("heading", name="核销成功")).to_be_visible()
    assert redemptions_of(card) == 1


def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_key(counter: Counter, clerk: Visitor) -> None:
    card, page = bought(counter, kind="times_card"), clerk.page
    ready_to_redeem(page, card)
    keys: list[str | None] = []

    def lose_the_first(route: Route) -> None:
        keys.append(route.request.post_data)
        if len(keys) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/redeem/", lose_the_first)
    page.locator("#redeem-button").click()

    expect(page.get_by_role("heading", name="核销成功")).to_be_visible()
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert redemptions_of(card) == 1


def test_while_it_is_not_known_the_page_says_so_and_a_reload_asks_again(counter: Counter, clerk: Visitor) -> None:
    card, page = bought(counter, kind="times_card"), clerk.page
    ready_to_redeem(page, card)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route("**/redeem/", lose)
    page.locator("#redeem-button").click()
    expect(page.get_by_text("正在确认").first).to_be_visible()
    expect(page.locator("#bar-offline")).to_be_visible()
    page.unroute("**/redeem/")
    page.reload()

    expect(page.get_by_role("heading", name="核销成功")).to_be_visible()
    assert redemptions_of(card) == 1


def test_a_code_typed_without_a_network_is_kept_and_sent_when_it_is_back(counter: Counter, clerk: Visitor) -> None:
    voucher = bought(counter)
    clerk.context.set_offline(True)
    type_code(clerk.page, voucher.code)
    expect(clerk.page.locator("#bar-offline")).to_be_visible()
    expect(clerk.page.locator("#code")).to_have_value(f"{voucher.code[:4]} {voucher.code[4:8]} {voucher.code[8:]}")

    clerk.context.set_offline(False)

    expect(clerk.page.get_by_role("heading", name="1 张可用")).to_be_visible()
    expect(clerk.page.locator("#bar-offline")).to_be_hidden()


def test_a_session_that_ended_is_begun_again_over_the_page(counter: Counter, clerk: Visitor) -> None:
    voucher, page = bought(counter), clerk.page
    ready_to_redeem(page, voucher)
    Session.objects.all().delete()

    page.locator("#redeem-button").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("输入的内容都在")).to_be_visible()
    assert redemptions_of(voucher) == 0
    sheet.locator("#username").fill(counter.clerk.username)
    sheet.locator("#password").fill(PASSWORD)
    sheet.get_by_role("button", name="登录").click()

    expect(page.get_by_role("heading", name="核销成功")).to_be_visible()
    assert redemptions_of(voucher) == 1


def test_a_second_scan_is_red_and_sounds_so(counter: Counter, clerk: Visitor) -> None:
    voucher, page = bought(counter), clerk.page
    counter.redeem(voucher.code, at=datetime.now(UTC))
    page.evaluate("document.addEventListener('sounded', (event) => { window.heard = event.detail; })")

    type_code(page, voucher.code)

    expect(page.get_by_role("heading", name="不能用")).to_be_focused()
    expect(page.get_by_text("陈雨")).to_be_visible()
    assert page.evaluate("window.heard") == "refused"
    page.get_by_role("link", name="继续扫码").click()
    expect(page.locator("#code")).to_have_value("")


def test_back_and_reload_never_redeem_again_and_are_never_blank(counter: Counter, clerk: Visitor) -> None:
    card, page = bought(counter, kind="times_card"), clerk.page
    ready_to_redeem(page, card)
    page.reload()
    expect(page.get_by_role("heading", name="1 张可用")).to_be_visible()
    page.locator("#redeem-button").click()
    expect(page.get_by_role("heading", name="核销成功")).to_be_visible()

    go_back(page)
    expect(page.get_by_text("用第 2 次")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="核销成功")).to_be_visible()
    assert redemptions_of(card) == 1


def test_two_tabs_have_a_basket_each(counter: Counter, clerk: Visitor) -> None:
    one, other = bought(counter), bought(counter)
    ready_to_redeem(clerk.page, one)
    second = clerk.context.new_page()
    second.goto("/console/")
    ready_to_redeem(second, other)

    clerk.page.locator("#redeem-button").click()
    expect(clerk.page.get_by_role("heading", name="核销成功")).to_be_visible()
    assert (redemptions_of(one), redemptions_of(other)) == (1, 0)


def test_practice_cannot_be_mistaken_and_changes_nothing(counter: Counter, clerk: Visitor) -> None:
    page = clerk.page
    page.goto("/console/tour/6/")
    page.get_by_role("button", name="去练习").click()
    page.get_by_role("button", name="任选中杯单杯券").click()
    page.locator("#redeem-button").click()

    expect(page.get_by_role("heading", name="核销成功")).to_be_visible()
    expect(page.get_by_text("练习模式，没有真的核销")).to_be_visible()
    assert not Redemption.objects.exists()


def test_undo_gives_the_voucher_back(counter: Counter, clerk: Visitor) -> None:
    voucher, page = bought(counter), clerk.page
    ready_to_redeem(page, voucher)
    page.locator("#redeem-button").click()
    page.get_by_role("button", name="撤销核销").click()
    page.get_by_role("dialog").get_by_role("button", name="撤销核销").click()

    expect(page.get_by_text("已退回给顾客").first).to_be_visible()
    voucher.refresh_from_db()
    assert voucher.status == Voucher.Status.ISSUED


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_the_way_from_code_to_result_is_for_everybody(counter: Counter, visit: Any, locale: str) -> None:
    """Both languages, the narrowest phone, the longest names: nothing serious for axe, nothing cut off."""
    counter.store.name = "浙江省杭州市滨江区江南大道天街购物中心负一层店"
    counter.store.save()
    cash = bought(counter, min_spend_fen=3_000, face_value_fen=800, title="满 30 减 8 代金券" * 3)
    page = visit(locale=locale, viewport={"width": 320, "height": 640}).page
    sign_in(page, counter)

    def looked_at() -> None:
        assert serious_problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320

    looked_at()
    ready_to_redeem(page, cash)
    page.fill("#bill", "12345")
    expect(page.locator("#total .money")).to_contain_text("12,337.00")
    looked_at()
    page.locator("#redeem-button").click()
    expect(page.locator(".result-head.is-done")).to_be_visible()
    looked_at()
    page.goto("/console/")
    type_code(page, cash.code)
    expect(page.locator(".result-head.is-stop")).to_be_visible()
    looked_at()
