"""The order board in a real browser: orders come, move over it, and ring until somebody accepts."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from orders.models import StoreOrder
from tests.browser.conftest import Visitor
from tests.orders import ordering
from tests.vouchers.counters import Counter


def ordered(counter: Counter, *, minutes_ago: int) -> StoreOrder:
    now = datetime.now(UTC)
    bought = counter.voucher(bought_at=now - timedelta(hours=1))
    return ordering.confirmed(counter, voucher=bought, at=now - timedelta(minutes=minutes_ago))


def test_an_order_comes_and_goes_over_the_board(counter: Counter, clerk: Visitor) -> None:
    page = clerk.page
    first = ordered(counter, minutes_ago=2)
    page.goto("/console/orders/")
    expect(page.get_by_text("还没人接单")).to_be_visible()
    page.evaluate("document.addEventListener('sounded', (event) => { window.heard = event.detail; })")

    second = ordered(counter, minutes_ago=0)
    expect(page.locator(f"#{second.public_id}")).to_be_visible()
    assert page.evaluate("window.heard") == "order"

    ticket = page.locator(f"#{first.public_id}")
    ticket.get_by_role("button", name="接单").click()
    page.locator("[data-shows=column-making]").click()
    ticket.get_by_role("button", name="开始做").click()
    ticket.get_by_role("button", name="做好了").click()
    page.locator("[data-shows=column-ready]").click()
    ticket.get_by_role("button", name="已取走").click()
    expect(ticket).to_have_count(0)
    first.refresh_from_db()
    assert first.status == StoreOrder.Status.COLLECTED


def test_a_rejection_takes_a_reason_and_leaves_the_board(counter: Counter, clerk: Visitor) -> None:
    order, page = ordered(counter, minutes_ago=2), clerk.page
    page.goto("/console/orders/")

    page.locator(f"#{order.public_id}").get_by_role("button", name="拒单").click()
    page.get_by_role("dialog").get_by_role("button", name="缺料").click()

    expect(page.locator(f"#{order.public_id}")).to_have_count(0)
    order.refresh_from_db()
    assert (order.status, order.reason) == (StoreOrder.Status.REJECTED, "缺料")


def test_a_pause_is_told_on_the_board_and_ended_there(counter: Counter, clerk: Visitor) -> None:
    page = clerk.page
    page.goto("/console/orders/")

    page.get_by_role("button", name="暂停接单").click()
    page.get_by_role("dialog").get_by_role("button", name="15 分钟").click()
    expect(page.get_by_text("暂停接单中")).to_be_visible()
    page.get_by_role("button", name="恢复接单").click()
    expect(page.get_by_text("暂停接单中")).to_have_count(0)
