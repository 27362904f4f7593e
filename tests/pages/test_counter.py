"""The counter's pages without a browser: what they show, what they refuse, and what a repeat does."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.accounts.models import User
from config.kernel.models import AuditEntry
from config.pages.console import frames
from orders.models import StoreOrder, Surcharge
from stores.models import OrderingRule, StoreProduct
from tests import factories
from tests.orders import ordering
from tests.orders.buying import captured, tell
from tests.stores import people
from tests.stores.people import PIN
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers import qr
from vouchers.models import Redemption, Voucher

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "qingyu-7-green-leaves"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def counter() -> Counter:
    made = counters.counter(name="滨江天街店")
    made.clerk.display_name = "陈雨"
    made.clerk.set_password(PASSWORD)
    made.clerk.save()
    return made


@pytest.fixture
def client(counter: Counter) -> Client:
    client = Client()
    client.post("/console/sign-in/", {"username": counter.clerk.username, "password": PASSWORD})
    return client


def voucher(counter: Counter, **fields: Any) -> Voucher:
    customer = factories.customer(counter.brand, phone_tail="6021")
    return counter.voucher(counter.terms(**fields), customer=customer, bought_at=now())


def prepare(client: Client, text: str, **more: str) -> Any:
    return client.post("/console/prepare/", {"text": text, **more})


def basket_in(page: Any) -> str:
    found = re.search(r"/console/basket/([\w-]+)/redeem/", page.text)
    assert found, page.text
    return found[1]


def redeem(client: Client, basket: str, *codes: str, **more: str) -> Any:
    given = {"code": list(codes), "key": str(uuid4()), **more}
    return client.post(f"/console/basket/{basket}/redeem/", given, follow=True)


def test_a_code_is_shown_as_usable_and_redeemed_in_one_tap(counter: Counter, client: Client) -> None:
    mine = voucher(counter)

    page = prepare(client, f" {mine.code[:4]}－{mine.code[4:]} ")
    assert "1 张可用" in page.text
    assert "手机尾号 6021" in page.text
    done = redeem(client, basket_in(page), mine.code)

    assert "核销成功" in done.text
    assert Redemption.objects.get().voucher == mine
    assert "核销成功" in client.get(done.redirect_chain[-1][0]).text


def test_a_repeat_with_the_same_key_is_the_first_answer(counter: Counter, client: Client) -> None:
    card = voucher(counter, kind="times_card")
    basket, key = basket_in(prepare(client, card.code)), str(uuid4())

    first, again = (redeem(client, basket, card.code, key=key) for _ in range(2))

    assert first.redirect_chain == again.redirect_chain
    assert Redemption.objects.count() == 1


def test_redeeming_needs_no_basket_of_the_session(counter: Counter, client: Client) -> None:
    mine = voucher(counter)

    assert "核销成功" in redeem(client, "of-another-session", mine.code).text


def test_a_qr_brings_what_was_bought_together(counter: Counter, client: Client) -> None:
    both = counter.vouchers(counter.terms(), count=2, bought_at=now())
    token = qr.token_for(brand_id=counter.brand.id, code=both[0].code, at=now())

    assert "2 张可用" in prepare(client, token.text).text


def test_several_peoples_vouchers_go_together(counter: Counter, client: Client) -> None:
    one, other = voucher(counter), voucher(counter)
    basket = basket_in(prepare(client, one.code))

    page = prepare(client, other.code, basket=basket)
    assert "2 张可用" in page.text
    assert "2 位顾客" in page.text
    assert "2 张券" in redeem(client, basket, one.code, other.code).text


def test_a_second_scan_says_when_where_and_by_whom(counter: Counter, client: Client) -> None:
    mine = voucher(counter)
    redeem(client, basket_in(prepare(client, mine.code)), mine.code)

    page = prepare(client, mine.code)

    assert page.status_code == 409
    for said in ("不能用", "这张券已使用", "这次没有扣", "滨江天街店", "陈雨", "今天"):
        assert said in page.text
    assert "voucher_already_redeemed" not in page.text


def test_what_is_not_usable_here_names_the_nearest_store(counter: Counter, client: Client) -> None:
    counter.store.latitude, counter.store.longitude = 30.2, 120.2  # type: ignore[assignment]
    counter.store.save()
    near = factories.store(counter.brand, name="江南大道店", latitude=30.2043, longitude=120.2)
    elsewhere = voucher(counter, store_scope={"stores": [near.public_id]})

    page = prepare(client, elsewhere.code)

    assert "本店不能用这张券" in page.text
    assert "江南大道店" in page.text
    assert re.search(r"4\d\d\u00a0米", page.text)


def test_what_is_unusable_stands_beside_what_is_usable(counter: Counter, client: Client) -> None:
    used, good = voucher(counter), voucher(counter)
    counter.redeem(used.code, at=now())
    basket = basket_in(prepare(client, good.code))

    refused = prepare(client, used.code, basket=basket)

    assert "顾客还有 1 张可用" in refused.text
    assert "1 张可用" in client.get(f"/console/basket/{basket}/").text


def test_a_bill_is_asked_for_where_a_voucher_needs_it(counter: Counter, client: Client) -> None:
    cash = voucher(counter, min_spend_fen=3_000, face_value_fen=800)
    page = prepare(client, cash.code)
    basket = basket_in(page)
    assert "本单原价" in page.text

    missing = redeem(client, basket, cash.code)
    assert missing.status_code == 422
    assert "请输入未打折的消费金额" in missing.text
    little = redeem(client, basket, cash.code, bill="20")
    assert "满 30 元可用" in little.text
    assert 'value="20"' in little.text
    total = client.post(f"/console/basket/{basket}/total/", {"code": [cash.code], "bill": "46.00"})
    assert "46.00 − 8.00" in total.text
    done = redeem(client, basket, cash.code, bill="¥46.00")
    assert "向顾客收" in done.text
    assert "38.00" in done.text


def test_undo_asks_once_names_it_and_gives_it_back(counter: Counter, client: Client) -> None:
    mine = voucher(counter)
    result = redeem(client, basket_in(prepare(client, mine.code)), mine.code).redirect_chain[-1][0]

    asked = client.get(f"{result}undo/ask/")
    assert "撤销这次核销" in asked.text
    assert "20 元代金券" in asked.text
    for _ in range(2):
        undone = client.post(f"{result}undo/", {"key": str(uuid4())}, follow=True)
        assert "已退回给顾客" in undone.text
    mine.refresh_from_db()
    assert mine.status == Voucher.Status.ISSUED


def test_an_undo_that_comes_too_late_says_so(counter: Counter, client: Client) -> None:
    mine = counter.voucher(bought_at=now() - timedelta(hours=3))
    done = counter.redeem(mine.code, at=now() - timedelta(hours=2))

    page = client.get(f"/console/results/{done.public_id}/")

    assert "已超过可撤销时间" in page.text


@pytest.mark.parametrize("rubbish", ["", "   ", "你好🍵", "0" * 600, "a.b.c", "48260917335", "1\x002", "<script>"])
def test_rubbish_is_answered_with_a_page(client: Client, rubbish: str) -> None:
    page = prepare(client, rubbish)

    assert page.status_code < 500
    assert "<script>" not in page.text.replace("<script src", "")


def test_guesses_are_slowed_down_with_the_seconds(counter: Counter, client: Client) -> None:
    for number in range(20):
        prepare(client, f"90000000{number:04d}")

    page = prepare(client, "900000009999")

    assert page.status_code == 429
    assert "输错太多次" in page.text


def test_anothers_result_is_not_there(client: Client) -> None:
    other = counters.counter()
    done = other.redeem(other.voucher().code)

    assert client.get(f"/console/results/{done.public_id}/").status_code == 404


def test_today_is_summed_by_deal_and_by_clerk(counter: Counter, client: Client) -> None:
    for _ in range(2):
        mine = voucher(counter)
        redeem(client, basket_in(prepare(client, mine.code)), mine.code)

    page = client.get("/console/today/").text

    assert "按券商品" in page
    assert page.count("陈雨") >= 3
    assert '<dd class="page-figure figure">2</dd>' in page
    assert "陈雨" in client.get("/console/shift/").text


def test_practice_writes_nothing(counter: Counter, client: Client) -> None:
    client.post("/console/practise/", {"on": "1"})
    page = client.get("/console/").text
    assert "练习模式" in page
    code = re.search(r'name="text" value="(\d{12})"', page)
    assert code

    basket = basket_in(prepare(client, code[1]))
    done = redeem(client, basket, code[1])
    assert "没有真的核销" in done.text
    assert "这张券已使用" in prepare(client, code[1]).text
    assert not Redemption.objects.exists()
    assert not AuditEntry.objects.filter(act__startswith="voucher.").exists()


def test_a_real_code_is_not_for_practising(counter: Counter, client: Client) -> None:
    mine = voucher(counter)
    client.post("/console/practise/", {"on": "1"})

    assert "没有这张券" in prepare(client, mine.code).text


def test_a_surcharge_follows_from_what_she_chose(counter: Counter, client: Client) -> None:
    product = factories.product(counter.brand)
    group = factories.option_group(counter.brand, product)
    large = group.options.get(name="大杯")
    mine = voucher(counter)
    result = redeem(client, basket_in(prepare(client, mine.code)), mine.code).redirect_chain[-1][0]
    page = client.get(f"{result}extra/?product={product.public_id}")
    assert "大杯" in page.text
    chosen = {
        "product": product.public_id,
        f"option-{group.public_id}": large.public_id,
        "redemption": Redemption.objects.get().id.hex,
        "key": str(uuid4()),
    }

    for _ in range(2):
        done = client.post(f"{result}extra/", chosen, follow=True)

    assert Surcharge.objects.get().amount_fen == 500
    assert "5.00" in done.text


def a_larger_one(counter: Counter, client: Client, **form: str) -> Any:
    """A redeemed voucher, and what its page for more asks."""
    mine = voucher(counter)
    result = redeem(client, basket_in(prepare(client, mine.code)), mine.code).redirect_chain[-1][0]
    asked = {"amount": "3", "reason": "大杯", "redemption": Redemption.objects.get().id.hex, "key": str(uuid4())}
    return client.post(f"{result}extra/", {**asked, **form}, follow=True)


def test_a_surcharge_by_qr_is_shown_followed_and_not_collected_again(counter: Counter, client: Client) -> None:
    shown = a_larger_one(counter, client, way="provider")
    surcharge = Surcharge.objects.get()
    address = f"/console/charges/{surcharge.public_id}/"
    assert shown.redirect_chain[-1][0] == address
    assert "请顾客扫码付款" in shown.text
    assert "<svg" in shown.text
    assert 'hx-trigger="every 2s"' in shown.text
    result = re.search(r"/console/results/[^/]+/", shown.text)
    assert result
    assert "等顾客扫码" in client.get(result[0]).text

    tell(captured(surcharge, occurred_at=now()), at=now())

    paid = client.get(address).text
    assert "顾客已付" in paid
    assert "hx-get" not in paid
    assert "向顾客收" not in client.get(result[0]).text


def test_a_qr_that_nobody_paid_is_over_and_another_can_be_asked_for(counter: Counter, client: Client) -> None:
    a_larger_one(counter, client, way="provider")
    surcharge = Surcharge.objects.get()
    Surcharge.objects.update(created_at=now() - timedelta(minutes=6))

    over = client.get(f"/console/charges/{surcharge.public_id}/").text

    assert "没有收到" in over
    assert "重新补差" in over
    assert "<svg viewBox" not in over or "hx-trigger" not in over


@pytest.mark.parametrize("amount", ["", "0", "-3", "三块", "10000.01", "1e3", "😀", "３"])
def test_what_is_no_amount_is_said_at_the_field_and_kept(counter: Counter, client: Client, amount: str) -> None:
    page = a_larger_one(counter, client, way="provider", amount=amount)

    assert page.status_code == 400 if amount != "３" else page.status_code == 200
    assert Surcharge.objects.exists() == (amount == "３")
    assert ("请填 0.01" in page.text) == (amount != "３")


def test_another_stores_surcharge_is_not_there(counter: Counter, client: Client) -> None:
    a_larger_one(counter, client, way="provider")
    other = counters.counter(brand=counter.brand).store
    Surcharge.objects.update(store=other)

    assert client.get(f"/console/charges/{Surcharge.objects.get().public_id}/").status_code == 404


def confirmed(counter: Counter) -> StoreOrder:
    bought = counter.voucher(bought_at=now() - timedelta(minutes=5))
    return ordering.confirmed(counter, voucher=bought, at=now() - timedelta(minutes=2))


def test_an_order_goes_over_the_board(counter: Counter, client: Client) -> None:
    order = confirmed(counter)
    page = client.get("/console/orders/")
    assert "还没人接单" in page.text

    for act, status in (("accept", "accepted"), ("making", "making"), ("ready", "ready"), ("collected", "collected")):
        client.post(f"/console/orders/{order.public_id}/{act}/")
        order.refresh_from_db()
        assert order.status == status


def test_an_order_that_moved_on_says_so_on_the_board(counter: Counter, client: Client) -> None:
    order = confirmed(counter)

    page = client.post(f"/console/orders/{order.public_id}/ready/")

    assert page.status_code == 409
    assert "order_moved_on" not in page.text
    assert str(order.pickup_number) in page.text


def test_an_order_is_rejected_with_a_reason(counter: Counter, client: Client) -> None:
    order = confirmed(counter)
    assert "缺料" in client.get(f"/console/orders/{order.public_id}/reject/ask/").text

    client.post(f"/console/orders/{order.public_id}/reject/", {"reason": "缺料"})

    order.refresh_from_db()
    assert (order.status, order.reason) == ("rejected", "缺料")


def test_labels_name_each_cup_and_a_reprint_is_logged(counter: Counter, client: Client) -> None:
    order = confirmed(counter)
    assert client.post(f"/console/orders/{order.public_id}/labels/").status_code == 409
    client.post(f"/console/orders/{order.public_id}/accept/")

    first = client.post(f"/console/orders/{order.public_id}/labels/").text
    again = client.post(f"/console/orders/{order.public_id}/labels/").text

    assert "1/1" in first
    assert "再打一份会被记录" not in first
    assert "再打一份会被记录" in again
    acts = list(AuditEntry.objects.filter(act__contains="labels").order_by("id").values_list("act", flat=True))
    assert acts == ["store_order.labels_printed", "store_order.labels_reprinted"]


def test_new_orders_are_paused_and_taken_again(counter: Counter, client: Client) -> None:
    assert "30 分钟" in client.get("/console/orders/pause/ask/").text

    assert "暂停接单中" in client.post("/console/orders/pause/", {"minutes": "30"}).text
    until = OrderingRule.objects.get(store=counter.store).paused_until
    assert until is not None
    assert timedelta(minutes=29) < until - now() <= timedelta(minutes=30)
    assert "暂停接单中" not in client.post("/console/orders/pause/", {"minutes": ""}).text


def test_a_product_is_sold_out_and_back(counter: Counter, client: Client) -> None:
    product = factories.product(counter.brand)

    out = client.post(f"/console/menu/product/{product.public_id}/", {"there": "0"})
    assert "售罄 1 项" in out.text
    assert StoreProduct.objects.get().sold_out_at
    back = client.post(f"/console/menu/product/{product.public_id}/", {"there": "1"})
    assert "售罄 0 项" in back.text


def test_who_switched_by_pin_works_the_board_and_the_menu() -> None:
    shop = people.shop(name="滨江天街店")
    here = Counter(shop.brand, factories.entity(shop.brand), shop.store, shop.clerk().user)
    order, product = confirmed(here), factories.product(shop.brand)
    client = Client()
    client.cookies["hexiao_device"] = shop.device().key
    client.post("/console/clerk/", {"user": here.clerk.public_id, "pin": PIN})

    assert client.post(f"/console/orders/{order.public_id}/accept/").status_code == 200
    assert client.post(f"/console/menu/product/{product.public_id}/", {"there": "0"}).status_code == 200
    trail = AuditEntry.objects.get(act="store_order.accepted")
    assert (trail.actor_kind, trail.actor_id) == ("staff", here.clerk.id)


def test_a_manager_makes_her_phone_a_device(counter: Counter) -> None:
    manager: User = factories.staff(counter.brand, role="store_manager", store=counter.store).user
    manager.set_password(PASSWORD)
    manager.save()
    client = Client()
    client.post("/console/sign-in/", {"username": manager.username, "password": PASSWORD})

    assert client.post("/console/device/", {"name": "前台手机"}).status_code == 302
    assert client.cookies["hexiao_device"]["httponly"]
    assert "换谁来核销" in client.get("/console/clerk/").text


@pytest.mark.parametrize("path", ["more", "tour/1", "tour/6", "offline", "menu", "orders", "today", "shift"])
def test_a_page_speaks_both_languages(client: Client, path: str) -> None:
    chinese = client.get(f"/console/{path}/", headers={"Accept-Language": "zh-CN"})
    english = client.get(f"/console/{path}/", headers={"Accept-Language": "en"})

    assert (chinese.status_code, english.status_code) == (200, 200)
    assert 'lang="zh-Hans"' in chinese.text
    body = re.sub(r'lang="zh-Hans">.*?<|滨江天街店|陈雨', "", english.text)
    assert not re.search(r"[\u4e00-\u9fff]", body), re.findall(r"[^\n]*[\u4e00-\u9fff][^\n]*", body)[:3]


def test_the_worker_keeps_no_page_but_the_offline_one(client: Client) -> None:
    worker = client.get("/console/sw.js")

    assert worker["Content-Type"].startswith("text/javascript")
    kept = re.findall(r'"(/[^"]*)"', worker.text)
    assert all(path.startswith("/static/") or path == "/console/offline/" for path in kept)


def test_a_frame_is_bounded_before_it_is_decoded(client: Client) -> None:
    def send(frame: bytes) -> Any:
        return client.post("/console/decode/", frame, content_type="image/jpeg")

    assert send(b"no picture").status_code == 204
    assert send(b"x" * (frames.FRAME_AT_MOST_BYTES + 1)).status_code == 413
    assert send(b"").status_code == 413
