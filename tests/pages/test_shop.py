"""The shop's pages over HTTP: what each state shows, and that nothing happens twice."""

import re
from datetime import datetime
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.kernel.ids import parse, public
from config.pages.design import sandbox_till
from orders.models import Payment, Purchase, RefundRequest, StoreOrder
from orders.services import order_moves
from stores.messengers import registry
from stores.models import Customer, CustomerSession, Option, OrderingRule, PickupSlot, StoreProduct
from tests import factories
from tests.pages.shop_stand import PHONE, Shop, now, open_shop, sign_in, take_the_money
from vouchers.models import Offer, Voucher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop() -> Shop:
    return open_shop()


@pytest.fixture(autouse=True)
def till(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's answer without the sandbox: the money is taken, and the notice comes at once."""

    def paid(parameters: dict[str, Any]) -> bool:
        take_the_money(Payment.objects.get(pk=parse(Payment.PREFIX, parameters["reference"])).pk)
        return True

    monkeypatch.setattr(sandbox_till, "pay", paid)


def text_of(page: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def hidden(page: Any, name: str) -> str:
    """The value of a hidden field, of the first form that has it."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"no {name} on the page"
    return unescape(found[1])


# --- signing in ----------------------------------------------------------------------------------


def test_she_signs_in_with_the_code_from_her_phone_and_comes_back_to_where_she_was(shop: Shop) -> None:
    browser = Client()
    asked = browser.get(shop.url("wallet/"))
    assert asked["Location"] == shop.url("sign-in/") + f"?next=%2Fshop%2F{shop.brand.slug}%2Fwallet%2F"

    sent = browser.post(asked["Location"], {"phone": "139 0000 1234", "next": shop.url("wallet/")})
    page = browser.get(sent["Location"])
    code = registry.sandbox().last_to("+8613900001234").code  # type: ignore[union-attr]
    done = browser.post(
        shop.url("sign-in/code/"),
        {"code": f" {code[:3]} {code[3:]}", "key": hidden(page, "key"), "next": shop.url("wallet/")},
    )

    assert "13900001234" in text_of(page)
    assert done["Location"] == shop.url("wallet/")
    cookie = done.cookies["hexiao_customer"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == shop.url()
    assert "还没有券" in text_of(browser.get(shop.url("wallet/")))
    assert Customer.objects.get(phone_tail="1234").brand == shop.brand


def test_a_second_tap_on_the_right_code_signs_in_too(shop: Shop) -> None:
    browser, other = Client(), Client()
    browser.post(shop.url("sign-in/"), {"phone": PHONE})
    page = browser.get(shop.url("sign-in/code/"))
    other.cookies["sessionid"] = browser.cookies["sessionid"].value
    form = {"code": registry.sandbox().last_to(f"+86{PHONE}").code, "key": hidden(page, "key")}  # type: ignore[union-attr]

    answers = [each.post(shop.url("sign-in/code/"), form) for each in (browser, other)]

    assert [answer.status_code for answer in answers] in ([303, 303], [303, 302])


def test_a_wrong_code_says_how_many_tries_are_left_and_keeps_what_was_typed(shop: Shop) -> None:
    browser = Client()
    browser.post(shop.url("sign-in/"), {"phone": PHONE})
    page = browser.get(shop.url("sign-in/code/"))
    right = registry.sandbox().last_to(f"+86{PHONE}").code  # type: ignore[union-attr]
    wrong = f"{(int(right) + 1) % 10**6:06d}"

    answer = browser.post(shop.url("sign-in/code/"), {"code": wrong, "key": hidden(page, "key")})

    assert answer.status_code == 422
    assert "还可以试 4 次" in text_of(answer)
    assert wrong in answer.text


@pytest.mark.parametrize("rubbish", ["", "😀😀😀", "1" * 500, "<script>"])
def test_rubbish_for_a_phone_is_answered_on_the_page(shop: Shop, rubbish: str) -> None:
    answer = Client().post(shop.url("sign-in/"), {"phone": rubbish})

    assert answer.status_code == 422
    assert "手机号格式不对" in text_of(answer)
    assert "<script>" not in answer.text.replace("<script src", "")


def test_the_code_is_shown_where_the_sandbox_carries_messages_and_nowhere_else(shop: Shop, settings: Any) -> None:
    browser = Client()
    browser.post(shop.url("sign-in/"), {"phone": PHONE})
    code = registry.sandbox().last_to(f"+86{PHONE}").code  # type: ignore[union-attr]

    assert code in browser.get(shop.url("sign-in/code/")).text
    settings.MESSENGER = "sms"
    assert code not in browser.get(shop.url("sign-in/code/")).text


def test_signing_in_leads_nowhere_else(shop: Shop) -> None:
    for elsewhere in ("https://example.org/", "//example.org/", "/console/", f"/shop/{shop.brand.slug}x/"):
        page = shop.client.get(shop.url("sign-in/"), {"next": elsewhere})
        assert page["Location"] == shop.url()


def test_signing_out_ends_the_session(shop: Shop) -> None:
    shop.client.post(shop.url("sign-out/"))

    assert CustomerSession.objects.get().ended_at is not None
    assert shop.client.get(shop.url("wallet/")).status_code == 303


def test_a_session_of_one_shop_is_none_in_another(shop: Shop) -> None:
    other = open_shop()
    other.client.cookies["hexiao_customer"] = shop.client.cookies["hexiao_customer"].value

    assert other.client.get(other.url("wallet/")).status_code == 303


# --- the live page -------------------------------------------------------------------------------


def test_the_live_page_shows_each_listing_in_its_state(shop: Shop) -> None:
    shop.offer("任选中杯单杯券", allotment=2_000)
    shop.offer("快没了的券", allotment=87)
    gone = shop.offer("抢完的券", allotment=10)
    Offer.objects.filter(pk=gone.pk).update(sold=10)
    shop.offer("晚一点的券", allotment=50)
    Offer.objects.filter(terms__title="晚一点的券").update(opens_at=now().replace(year=now().year + 1))
    shop.offer("停一下的券", state="paused")

    shown = text_of(Client().get(shop.url()))

    assert "剩 2,000 份" in shown
    assert "最后 87 份" in shown
    assert shown.count("已抢完") >= 2
    assert "开抢倒计时" in shown
    assert "暂停抢购" in shown
    assert "先登录，开抢时一点就好" in shown
    assert "距结束" in shown


def test_the_live_page_speaks_english(shop: Shop) -> None:
    shop.offer(allotment=2_000)

    page = Client().get(shop.url(), headers={"Accept-Language": "en"})

    assert 'lang="en"' in page.text
    assert "2,000 left" in text_of(page)
    assert "Buy" in text_of(page)


def test_a_shop_without_a_livestream_is_never_blank(shop: Shop) -> None:
    shop.session.delete()

    assert "现在没有在卖的券" in text_of(Client().get(shop.url()))
    assert Client().get(shop.url("listings/")).status_code == 200


def test_what_is_not_there_is_a_page_that_says_so(shop: Shop) -> None:
    for address in ("/shop/nobody/", shop.url("listings/lst_1/"), shop.url("nowhere/")):
        assert Client().get(address).status_code == 404
    for address in ("wallet/vch_1/", "orders/ord_1/", "purchases/pur_1/", f"pay/pay_{'0' * 32}/", "menu/prd_1/"):
        shop.choose_store()
        assert shop.client.get(shop.url(address)).status_code == 404


def test_buying_leads_over_the_till_to_the_voucher(shop: Shop) -> None:
    offer = shop.offer()

    till = shop.buy(offer)
    assert re.fullmatch(shop.url(r"pay/pay_[0-9a-f]{32}/"), till["Location"])
    assert "¥ 9.90" in text_of(shop.client.get(till["Location"]))
    paid = shop.client.post(till["Location"])
    page = shop.client.get(paid["Location"])

    assert "券到手了" in text_of(page)
    assert "任选" not in text_of(page)
    assert Voucher.objects.get().customer == shop.customer


def test_between_paying_and_the_voucher_the_page_says_not_to_tap_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_till, "pay", lambda parameters: True)
    till = shop.buy(shop.offer())["Location"]

    page = shop.client.get(shop.client.post(till)["Location"])

    assert "已抢到，券生成中" in text_of(page)
    assert "约 10 秒，不用再点" in text_of(page)
    assert 'hx-trigger="every 2s"' in page.text


def test_a_till_that_does_not_answer_says_that_paying_again_is_safe(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_till, "pay", lambda parameters: False)
    till = shop.buy(shop.offer())["Location"]

    assert "不会重复扣钱" in text_of(shop.client.get(shop.client.post(till)["Location"]))


def test_two_taps_on_buy_are_one_purchase(shop: Shop) -> None:
    offer, key = shop.offer(), str(uuid4())

    first, second = shop.buy(offer, key=key), shop.buy(offer, key=key)

    assert first["Location"] == second["Location"]
    assert Purchase.objects.count() == 1


def test_back_after_paying_and_another_tap_lead_to_the_same_purchase(shop: Shop) -> None:
    offer, key = shop.offer(), str(uuid4())
    till = shop.buy(offer, key=key)["Location"]
    purchase = shop.client.post(till)["Location"].partition("?")[0]

    assert shop.buy(offer, key=key)["Location"] == purchase
    assert shop.client.get(till)["Location"].partition("?")[0] == purchase
    assert shop.client.post(till)["Location"].partition("?")[0] == purchase
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sold": 1_000}, "抢完"),
        ({"price_fen": 1_090}, "价格"),
        ({"state": "paused"}, "暂停"),
        ({"per_customer_limit": 1}, "限"),
    ],
)
def test_a_sale_that_says_no_says_why_on_the_live_page(shop: Shop, changes: dict[str, Any], says: str) -> None:
    offer = shop.offer(per_customer_limit=2)
    if "per_customer_limit" in changes:
        shop.buy(offer)
        shop.buy(offer)
    else:
        Offer.objects.filter(pk=offer.pk).update(**changes)

    answer = shop.buy(offer)

    assert answer["Location"] == shop.url()
    page = text_of(shop.client.get(answer["Location"]))
    assert says in page
    assert not re.search(r"\b(sold_out|price_changed|limit_reached|sale_paused)\b", page)


def test_buying_without_being_signed_in_asks_and_comes_back(shop: Shop) -> None:
    offer, stranger = shop.offer(), Client(headers={"Referer": f"http://testserver{shop.url()}"})

    answer = stranger.post(
        shop.url(f"live/{shop.session.public_id}/buy/"),
        {"key": str(uuid4()), "offer": offer.public_id, "unit_price_fen": 990, "terms_number": 1},
    )

    assert answer["Location"] == shop.url("sign-in/") + f"?next=%2Fshop%2F{shop.brand.slug}%2F"
    assert not Purchase.objects.exists()


def test_a_form_somebody_wrote_herself_is_no_sale(shop: Shop) -> None:
    offer = shop.offer()

    for rubbish in ({"unit_price_fen": "x"}, {"key": "1"}, {"terms_number": ""}):
        assert shop.buy(offer, **rubbish).status_code == 404
    assert shop.buy(Offer(id=uuid4(), price_fen=990, terms=offer.terms))["Location"] == shop.url()
    assert not Purchase.objects.exists()


def test_a_deals_page_answers_the_questions_people_ask(shop: Shop) -> None:
    shop.offer(terms={"min_spend_fen": 3_000, "refunds_on_expiry": True})
    listing = shop.session.listings.get()

    page = text_of(Client().get(shop.url(f"listings/{listing.public_id}/")))

    for said in ("哪些店能用？", "全部门店可用", "满 30 元可用", "没用能退吗？", "未使用随时退", "过期自动退"):
        assert said in page


# --- the wallet ----------------------------------------------------------------------------------


def bought(shop: Shop, **offer: Any) -> Voucher:
    """A voucher that came the whole way."""
    till = shop.buy(shop.offer(**offer))["Location"]
    shop.client.post(till)
    return Voucher.objects.latest("issued_at")


def test_a_ticket_shows_a_code_the_rules_and_what_refunding_gives(shop: Shop) -> None:
    voucher = bought(shop)

    page = shop.client.get(shop.url(f"wallet/{voucher.public_id}/"))

    code = voucher.code
    assert f"{code[:4]} {code[4:8]} {code[8:]}" in text_of(page)
    assert "<svg" in page.text
    assert 'hx-trigger="countdown-over, code-again"' in page.text
    assert re.search(r"没用随时退 ¥ 9.90", text_of(page))
    assert "去使用" in text_of(page)
    assert "23:59 前有效" in text_of(page)  # by the brand's clock


def test_every_code_is_another(shop: Shop) -> None:
    voucher = bought(shop)
    address = shop.url(f"wallet/{voucher.public_id}/code/")

    assert shop.client.get(address).text != shop.client.get(address).text


def test_refunding_asks_once_and_happens_once(shop: Shop) -> None:
    voucher = bought(shop)
    address = shop.url(f"wallet/{voucher.public_id}/refund/")
    page = shop.client.get(address)
    form = {"key": hidden(page, "key")}

    first, second = shop.client.post(address, form), shop.client.post(address, form)

    assert "退回 ¥ 9.90" in text_of(page)
    assert first["Location"] == second["Location"] == shop.url(f"wallet/{voucher.public_id}/")
    assert "退款" in text_of(shop.client.get(first["Location"]))
    assert RefundRequest.objects.get().amount_fen == 990
    assert shop.client.get(address).status_code == 303


def test_the_rules_page_tells_what_happened(shop: Shop) -> None:
    voucher = bought(shop)

    page = text_of(shop.client.get(shop.url(f"wallet/{voucher.public_id}/rules/")))

    for said in ("使用规则", "下单购买 1 份", "付款", "券已到账", "过期"):
        assert said in page


def test_anothers_voucher_is_not_there(shop: Shop) -> None:
    voucher, stranger = bought(shop), Client()
    sign_in(stranger, shop.brand, "13900000000")

    for rest in ("", "code/", "rules/", "refund/"):
        assert stranger.get(shop.url(f"wallet/{voucher.public_id}/{rest}")).status_code == 404


# --- ordering ------------------------------------------------------------------------------------


def test_use_it_leads_to_a_pick_up_number_in_four_taps(shop: Shop) -> None:
    [voucher] = shop.vouchers()

    used = shop.client.post(
        shop.url(f"wallet/{voucher.public_id}/use/"), {"latitude": "30.2084", "longitude": "120.2120"}
    )  # 1: 去使用
    assert used["Location"] == shop.url("cart/")
    cart = shop.client.get(used["Location"])
    assert "滨江天街店" in text_of(cart)
    assert "已为您用上 1 张券" in text_of(cart)
    sheet = shop.client.get(shop.url("confirm/"))  # 2: 去确认
    assert "在这家店取？" in text_of(sheet)
    assert "制作前您可以取消" in text_of(sheet)
    done = shop.client.post(
        shop.url("confirm/"), {"key": hidden(sheet, "key"), "wanted": hidden(sheet, "wanted")}
    )  # 3: 确认下单

    order = StoreOrder.objects.get()
    assert done["Location"] == shop.url(f"orders/{order.public_id}/")
    page = text_of(shop.client.get(done["Location"]))
    assert f"取餐号 {order.pickup_number}" in page
    assert "取消订单" in page


def test_without_a_location_use_it_leads_to_the_stores_that_take_it(shop: Shop) -> None:
    [voucher] = shop.vouchers()

    used = shop.client.post(shop.url(f"wallet/{voucher.public_id}/use/"))
    assert used["Location"] == shop.url("stores/") + f"?voucher={voucher.public_id}"
    assert "滨江天街店" in text_of(shop.client.get(used["Location"]))
    chosen = shop.client.post(shop.url("stores/choose/"), {"store": shop.store.public_id, "voucher": voucher.public_id})

    assert chosen["Location"] == shop.url("cart/")
    assert "屿见乌龙奶茶" in text_of(shop.client.get(chosen["Location"]))


def test_stores_come_nearest_first_and_by_name(shop: Shop) -> None:
    shop.stand_at()

    near = text_of(shop.client.get(shop.url("stores/")))
    found = text_of(shop.client.get(shop.url("stores/"), {"q": "西湖"}))

    assert near.index("滨江天街店") < near.index("西湖文化广场店")
    assert re.search(r"滨江天街店 \d+\s米", near)
    assert "滨江天街店" not in found
    assert "没有找到门店" in text_of(shop.client.get(shop.url("stores/"), {"q": "😀"}))


def test_rubbish_for_a_place_is_no_place(shop: Shop) -> None:
    for latitude, longitude in (("nan", "1"), ("1e9", "1"), ("", ""), ("91", "0"), ("😀", "1")):
        shop.client.post(shop.url("stores/here/"), {"latitude": latitude, "longitude": longitude})
        assert "按离我最近排" in text_of(shop.client.get(shop.url("stores/")))


def with_sizes(shop: Shop) -> Option:
    group = factories.option_group(shop.brand, shop.oolong)
    return group.options.get(name="大杯")


def test_a_product_with_questions_is_answered_and_priced(shop: Shop) -> None:
    large = with_sizes(shop)
    shop.choose_store()
    assert "选规格" in text_of(shop.client.get(shop.url("menu/")))

    shop.pick(**{f"option:{large.group.public_id}": large.public_id})
    cart = text_of(shop.client.get(shop.url("cart/")))

    assert "大杯" in cart
    assert "¥ 21.00" in cart


def edit(shop: Shop, **form: Any) -> str:
    shop.client.post(shop.url("cart/edit/"), form)
    return text_of(shop.client.get(shop.url("cart/")))


def line_id(shop: Shop) -> str:
    return hidden(shop.client.get(shop.url("cart/")), "line")


def test_the_plan_changes_as_she_edits(shop: Shop) -> None:
    shop.vouchers(shop.terms("满 30 减 20", min_spend_fen=3_000))
    shop.choose_store()
    shop.pick()
    alone = text_of(shop.client.get(shop.url("cart/")))

    two = edit(shop, line=line_id(shop), quantity="2")

    assert "还差 ¥14.00 可用" in alone
    assert "这单没有用券" in alone
    assert "已为您用上 1 张券，省 ¥ 20.00" in two
    assert "够 ¥30.00，可以用" in two
    assert "应付（原价 ¥32.00） ¥ 12.00" in two


def test_a_voucher_that_is_worth_more_unused_is_kept_and_can_be_used_anyway(shop: Shop) -> None:
    [voucher] = shop.vouchers(shop.terms("50 元代金券", face_value_fen=5_000), paid_fen=4_000)
    shop.choose_store()
    shop.pick()
    before = text_of(shop.client.get(shop.url("cart/")))

    forced = edit(shop, use=voucher.public_id)
    restored = edit(shop, best="1")

    assert "50 元代金券为您留着" in before
    assert "用它只能多省 ¥16.00，留着还能退 ¥40.00" in before
    assert "按您的选择，多花 ¥ 24.00" in forced
    assert "50 元代金券为您留着" in restored


def test_a_voucher_she_leaves_out_can_come_back(shop: Shop) -> None:
    [voucher] = shop.vouchers()
    shop.choose_store()
    shop.pick()

    without = edit(shop, leave=voucher.public_id)

    assert "按您的选择没有用" in without
    assert "已为您用上 1 张券" in edit(shop, use=voucher.public_id)


def test_what_a_tap_took_out_of_the_cart_can_be_put_back(shop: Shop) -> None:
    factories.option_group(shop.brand, shop.oolong)
    large = public(Option.PREFIX, Option.objects.get(name="大杯").id)
    shop.choose_store()
    shop.pick(option=large, quantity="2")  # type: ignore[arg-type]
    [line] = re.findall(r'name="line" value="(\w+)"', shop.client.get(shop.url("cart/")).text)

    for quantity in ("rubbish", "²", "", "9" * 5_000, "2", "0"):
        wanted = {"line": line, "quantity": quantity}
        gone = shop.client.post(shop.url("cart/edit/"), wanted, headers={"HX-Request": "true"})
        assert gone.status_code == 200
        assert ("已去掉 屿见乌龙奶茶" in text_of(gone)) == (quantity == "0")
    again = {name: hidden(gone, name) for name in ("again", "option")}
    shop.client.post(shop.url("cart/edit/"), {**again, "quantity": "2"}, headers={"HX-Request": "true"})

    cart = text_of(shop.client.get(shop.url("cart/")))
    assert "大杯" in cart
    assert "42.00" in cart


def test_a_line_that_sold_out_says_so_and_the_rest_can_be_ordered(shop: Shop) -> None:
    shop.choose_store()
    shop.pick()
    shop.pick(shop.grape)
    StoreProduct.objects.create(store=shop.store, product=shop.oolong, sold_out_at=now())

    cart = text_of(shop.client.get(shop.url("cart/")))

    assert "售罄" in cart
    assert "先处理上面标出的问题" in cart
    assert shop.client.get(shop.url("confirm/"))["Location"] == shop.url("cart/")
    assert "应付" in edit(shop, line=line_id(shop), quantity="0")


def test_a_store_far_away_is_asked_about_twice(shop: Shop) -> None:
    shop.stand_at()
    shop.choose_store(shop.far_store)
    shop.pick()

    first = shop.client.get(shop.url("confirm/"))
    again = shop.client.get(shop.url("confirm/"), {"far": ""})

    assert 'name="wanted"' not in first.text
    assert "公里，确定在这家取吗？" in text_of(again)
    assert "就在这家取" in text_of(again)


def placed(shop: Shop) -> tuple[dict[str, str], str]:
    """An order of one cup at ¥16, to be paid; the form that made it and where it led."""
    shop.choose_store()
    shop.pick()
    sheet = shop.client.get(shop.url("confirm/"))
    form = {"key": hidden(sheet, "key"), "wanted": hidden(sheet, "wanted")}
    return form, shop.client.post(shop.url("confirm/"), form)["Location"]


def test_two_taps_a_reload_and_a_step_back_are_one_order(shop: Shop) -> None:
    form, till = placed(shop)

    second = shop.client.post(shop.url("confirm/"), form)["Location"]
    paid = shop.client.post(till)["Location"]
    after_paying = shop.client.post(shop.url("confirm/"), form)["Location"]

    order = StoreOrder.objects.get()
    assert second == till
    assert paid == shop.url(f"orders/{order.public_id}/?paid")
    assert after_paying == shop.url(f"orders/{order.public_id}/")
    assert order.pickup_number is not None
    assert "购物车还是空的" in text_of(shop.client.get(shop.url("cart/")))
    assert shop.client.get(shop.url("confirm/"))["Location"] == shop.url("cart/")


def test_two_tabs_with_one_cart_order_once(shop: Shop) -> None:
    shop.choose_store()
    shop.pick()
    old_tab = shop.client.get(shop.url("confirm/"))
    edit(shop, line=line_id(shop), quantity="2")
    new_tab = shop.client.get(shop.url("confirm/"))
    shop.client.post(shop.url("confirm/"), {"key": hidden(new_tab, "key"), "wanted": hidden(new_tab, "wanted")})

    answer = shop.client.post(
        shop.url("confirm/"), {"key": hidden(old_tab, "key"), "wanted": hidden(old_tab, "wanted")}
    )

    assert answer["Location"] == shop.url("orders/")
    assert "没有重复下单" in text_of(shop.client.get(answer["Location"]))
    assert StoreOrder.objects.count() == 1


def test_a_price_that_changed_shows_both_and_orders_nothing(shop: Shop) -> None:
    shop.choose_store()
    shop.pick()
    sheet = shop.client.get(shop.url("confirm/"))
    StoreProduct.objects.create(store=shop.store, product=shop.oolong, price_fen=1_800)

    answer = shop.client.post(shop.url("confirm/"), {"key": hidden(sheet, "key"), "wanted": hidden(sheet, "wanted")})

    assert "刚才 ¥16.00，现在 ¥18.00" in text_of(shop.client.get(answer["Location"]))
    assert not StoreOrder.objects.exists()


@pytest.mark.parametrize("wanted", ["", "{}", "😀", "[]", '{"store":"x","lines":[],"uses":[],"due_fen":0}'])
def test_a_sheet_somebody_wrote_herself_orders_nothing(shop: Shop, wanted: str) -> None:
    answer = shop.client.post(shop.url("confirm/"), {"key": str(uuid4()), "wanted": wanted})

    assert answer.status_code in (303, 404)
    assert not StoreOrder.objects.exists()


def test_an_order_is_followed_to_its_end(shop: Shop) -> None:
    _, till = placed(shop)
    order = StoreOrder.objects.get()
    page = shop.url(f"orders/{order.public_id}/")
    assert "给您留着，还没付款" in text_of(shop.client.get(page))
    shop.client.post(till)
    StoreOrder.objects.update(confirmed_at=now().replace(year=2026, month=1))
    by = {"store_id": shop.store.id, "by": order_moves.Caller(kind="staff", id=shop._counter.clerk.id)}
    seen = [text_of(shop.client.get(page))]
    for move in (order_moves.accept, order_moves.begin_making, order_moves.ready, order_moves.collect):
        move(order_id=order.id, at=now(), **by)  # type: ignore[operator]
        seen.append(text_of(shop.client.get(page)))

    assert "取消订单" in seen[0]
    assert "取消订单" in seen[1]
    assert "取消订单" not in seen[2]
    assert "可以取了" in seen[3]
    assert "ready.svg" in shop.client.get(page).text or "已取餐" in seen[4]
    assert "已取餐" in seen[4]
    assert "已取餐" in text_of(shop.client.get(shop.url("orders/")))


def test_cancelling_gives_everything_back_and_a_second_tap_is_harmless(shop: Shop) -> None:
    [voucher] = shop.vouchers()
    shop.choose_store()
    shop.pick(quantity="2")
    sheet = shop.client.get(shop.url("confirm/"))
    till = shop.client.post(shop.url("confirm/"), {"key": hidden(sheet, "key"), "wanted": hidden(sheet, "wanted")})
    shop.client.post(till["Location"])
    order = StoreOrder.objects.get()

    for _ in range(2):
        answer = shop.client.post(shop.url(f"orders/{order.public_id}/cancel/"))

    page = text_of(shop.client.get(answer["Location"]))
    assert "已取消" in page
    assert "1 张券已退回券包" in page
    assert "¥ 12.00" in page
    voucher.refresh_from_db()
    assert voucher.status == "issued"


def test_a_slot_is_picked_on_the_sheet_and_the_order_is_booked_for_it(shop: Shop) -> None:
    shop.vouchers()
    shop.choose_store()
    shop.pick()
    offered = re.findall(r'<option value="([^"]+)"', shop.client.get(shop.url("confirm/")).text)

    shop.client.post(shop.url("confirm/slot/"), {"pick_up_at": offered[3]})
    sheet = shop.client.get(shop.url("confirm/"))
    done = shop.client.post(shop.url("confirm/"), {"key": hidden(sheet, "key"), "wanted": hidden(sheet, "wanted")})

    assert f'<option value="{offered[3]}" selected>' in sheet.text
    order = StoreOrder.objects.get()
    assert order.pick_up_at == order.slot_at == datetime.fromisoformat(offered[3])
    assert "预约" in text_of(shop.client.get(done["Location"]))


@pytest.mark.parametrize("rubbish", ["", "tomorrow", "2026-01-01T10:00", "2020-01-01T10:00:00+08:00", "😀"])
def test_a_time_that_cannot_be_had_is_as_soon_as_possible(shop: Shop, rubbish: str) -> None:
    shop.choose_store()
    shop.pick()

    answer = shop.client.post(shop.url("confirm/slot/"), {"pick_up_at": rubbish})
    sheet = shop.client.get(answer["Location"])

    assert sheet.status_code == 200
    assert "selected" not in sheet.text
    assert ("改为尽快取" in text_of(sheet)) == rubbish.startswith("2020")


def test_a_slot_that_filled_up_meanwhile_is_asked_about_again_and_orders_nothing(shop: Shop) -> None:
    shop.choose_store()
    shop.pick()
    starts = re.findall(r'<option value="([^"]+)"', shop.client.get(shop.url("confirm/")).text)[3]
    shop.client.post(shop.url("confirm/slot/"), {"pick_up_at": starts})
    sheet = shop.client.get(shop.url("confirm/"))
    OrderingRule.objects.update_or_create(store=shop.store, defaults={"cups_per_slot": 1, "cut_off_minutes": 0})
    PickupSlot.objects.create(store=shop.store, starts_at=datetime.fromisoformat(starts), cups=1, made=0)

    answer = shop.client.post(shop.url("confirm/"), {"key": hidden(sheet, "key"), "wanted": hidden(sheet, "wanted")})

    assert answer["Location"] == shop.url("confirm/")
    assert not StoreOrder.objects.exists()
    assert starts not in shop.client.get(answer["Location"]).text


def test_she_says_that_she_has_it_and_is_shown_the_way_until_then(shop: Shop) -> None:
    _, till = placed(shop)
    order = StoreOrder.objects.get()
    page = shop.url(f"orders/{order.public_id}/")
    shop.client.post(till)
    assert "uri.amap.com/marker?position=120.2135" in shop.client.get(page).text
    early = shop.client.post(f"{page}collected/")
    assert "order_moved_on" not in text_of(shop.client.get(early["Location"]))
    StoreOrder.objects.update(status="ready", accepted_at=now(), making_at=now(), ready_at=now())

    assert "我取到了" in text_of(shop.client.get(page))
    for _ in range(2):
        shop.client.post(f"{page}collected/")

    order.refresh_from_db()
    assert order.status == "collected"
    gone = shop.client.get(page)
    assert "已取餐" in text_of(gone)
    assert "uri.amap.com" not in gone.text
    assert Client().post(f"{page}collected/").status_code == 303, "a stranger is asked to sign in"


# --- looks ---------------------------------------------------------------------------------------


def test_the_brands_colours_are_a_sheet_of_its_own(shop: Shop) -> None:
    page = Client().get(shop.url())
    address = re.search(r'href="(/shop/[^"]+/theme\.[0-9a-f]{12}\.css)"', page.text)
    assert address
    sheet = Client().get(address[1])

    assert sheet["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "--brand:#0C6170;" in sheet.text
    assert "--stop" not in sheet.text
    assert Client().get(shop.url("theme.000000000000.css")).status_code == 404


def test_a_page_of_hers_is_not_kept_by_the_browser(shop: Shop) -> None:
    assert shop.client.get(shop.url("wallet/"))["Cache-Control"] == "private, no-store"
