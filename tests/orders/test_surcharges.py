"""补差: what a drink costs beyond its voucher, paid by QR or at the till, and given back with it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry
from orders.errors import NothingToSurcharge, SurchargeTooLate
from orders.models import LedgerTransfer, Refund, Surcharge
from orders.services import notices, refund_sending, surcharge_endings, surcharges
from orders.services.surcharges import Extra
from stores.errors import ProductSoldOut
from stores.models import Option, Product
from stores.queries import menu_of
from stores.services import store_menu
from tests import factories
from tests.factories import NOW
from tests.orders.fake_provider import FakeProvider
from tests.orders.ordering import store_now
from tests.orders.world import pay_surcharge
from tests.vouchers import counters, granted
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, error_of, get, post
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound
from vouchers.models import Redemption
from vouchers.plan import best_plan
from vouchers.queries.plannable import open_wallet, plan_lines, plan_vouchers
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db(transaction=True)

FIVE = Extra(reason="升大杯", amount_fen=500)
LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def redemption(counter: Counter) -> Redemption:
    [use] = counter.redeem(counter.voucher().code).uses
    return Redemption.objects.get(pk=use.redemption_id)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    fake = FakeProvider()
    monkeypatch.setattr("orders.providers.registry.by_name", lambda name: fake)
    return fake


def given(counter: Counter, redemption: Redemption, extra: Extra = FIVE, key: UUID | None = None) -> dict[str, Any]:
    return {
        "redemption_id": redemption.pk,
        "extra": extra,
        "operator_id": counter.clerk.pk,
        "request_id": key or uuid4(),
        "at": NOW,
    }


def by_qr(counter: Counter, redemption: Redemption, extra: Extra = FIVE, **more: Any) -> Surcharge:
    return surcharges.ask_by_qr(provider="sandbox", **{**given(counter, redemption, extra), **more}).surcharge


def at_till(counter: Counter, redemption: Redemption, extra: Extra = FIVE, **more: Any) -> Surcharge:
    return surcharges.record_at_till(**{**given(counter, redemption, extra), **more}).surcharge


def undo(counter: Counter, redemption: Redemption) -> None:
    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=LATER)


def posted() -> list[tuple[str, int]]:
    kinds = LedgerTransfer.objects.exclude(kind__in=["redemption", "reversal"]).order_by("id")
    return list(kinds.values_list("kind", "amount_fen"))


def state(surcharge: Surcharge) -> str:
    surcharge.refresh_from_db()
    return surcharge.status


def test_a_surcharge_by_qr_waits_for_its_money(counter: Counter, redemption: Redemption) -> None:
    surcharge = by_qr(counter, redemption)

    assert (surcharge.status, surcharge.way, surcharge.amount_fen) == ("open", "provider", 500)
    parameters = surcharges.payment_parameters(surcharge)
    assert parameters is not None
    assert (parameters["reference"], parameters["amount_fen"]) == (surcharge.public_id, 500)
    assert parameters["expires_at"] == int((NOW + timedelta(minutes=5)).timestamp())
    assert posted() == []
    trail = AuditEntry.objects.get(act="surcharge.asked")
    assert (trail.subject_id, trail.actor_id) == (surcharge.pk, counter.clerk.pk)


def test_a_surcharge_paid_at_the_till_is_recorded(counter: Counter, redemption: Redemption) -> None:
    surcharge = at_till(counter, redemption)

    assert (surcharge.status, surcharge.paid_at) == ("paid", NOW)
    assert surcharges.payment_parameters(surcharge) is None
    assert posted() == [("surcharge_at_till", 500)]


def test_the_amount_follows_from_the_options(counter: Counter, redemption: Redemption) -> None:
    drink = factories.product(counter.brand)
    factories.option_group(counter.brand, drink)
    extras = {"珍珠": 200, "芝士": 600}
    factories.option_group(counter.brand, drink, name="加料", choose_least=0, choose_most=2, options=extras)
    cheese = Option.objects.get(name="芝士")
    store_menu.price_option_here(
        store_id=counter.store.pk, option_id=cheese.pk, price_delta_fen=700, by=granted.staff(counter.clerk), at=NOW
    )

    surcharge = by_qr(counter, redemption, chosen(drink, "大杯", "芝士"))

    assert (surcharge.amount_fen, surcharge.reason) == (500 + 700, "青提茉莉 大杯 芝士")
    assert surcharge.items[0]["product"] == drink.public_id
    with pytest.raises(NothingToSurcharge):
        by_qr(counter, redemption, chosen(drink, "中杯"))
    store_menu.sell_out_option(store_id=counter.store.pk, option_id=cheese.pk, by=granted.staff(counter.clerk), at=NOW)
    with pytest.raises(ProductSoldOut):
        by_qr(counter, redemption, chosen(drink, "芝士"))


def test_what_the_package_includes_costs_nothing_more(counter: Counter) -> None:
    drink = factories.product(counter.brand)
    size = factories.option_group(counter.brand, drink, options={"中杯": 0, "大杯": 500, "桶": 1_200})
    large = size.options.get(name="大杯")
    item = {"product": drink.public_id, "count": 1, "options": {size.public_id: [large.public_id]}}
    package = counter.terms(kind="package", package_groups=[{"name": "主饮", "choose": 1, "items": [item]}])
    voucher = counter.voucher(package)
    [use] = counter.redeem(voucher.code).uses
    redemption = Redemption.objects.get(pk=use.redemption_id)

    with pytest.raises(NothingToSurcharge):
        by_qr(counter, redemption, chosen(drink, "大杯"))
    assert by_qr(counter, redemption, chosen(drink, "桶")).amount_fen == 700


@pytest.mark.parametrize(
    ("included", "chosen_names", "due_fen"),
    [
        (("中杯", "大杯"), ("桶",), 300),
        (("中杯", "大杯"), ("小杯", "芝士"), 600),
        (("中杯", "大杯", "珍珠"), ("小杯", "珍珠", "芝士"), 600),
        (("大杯",), ("中杯",), 0),
        ((), ("中杯",), 0),
        ((), ("大杯", "珍珠"), 100 + 200),
        (("小杯",), ("大杯",), 300),
    ],
)
def test_the_counter_and_the_plan_ask_the_same_beyond_a_package(
    counter: Counter, included: tuple[str, ...], chosen_names: tuple[str, ...], due_fen: int
) -> None:
    drink = factories.product(counter.brand)
    sizes = {"小杯": 0, "中杯": 200, "大杯": 300, "桶": 600}
    size = factories.option_group(counter.brand, drink, options=sizes)
    size.options.update(is_default=False)
    size.options.filter(name="中杯").update(is_default=True)
    extras = factories.option_group(
        counter.brand, drink, name="加料", choose_least=0, choose_most=2, options={"珍珠": 200, "芝士": 600}
    )
    extras.options.update(is_default=False)
    named: dict[str, list[str]] = {}
    for option in Option.objects.filter(name__in=included).select_related("group"):
        named.setdefault(option.group.public_id, []).append(option.public_id)
    item = {"product": drink.public_id, "count": 1, "options": named}
    package = counter.terms(kind="package", package_groups=[{"name": "主饮", "choose": 1, "items": [item]}])
    voucher, order = counter.voucher(package), chosen(drink, *chosen_names)

    cart = [menu_of(counter.store, at=NOW).choose(drink.pk, order.option_ids)]
    owned = open_wallet(voucher.customer_id, counter.brand.pk, at=NOW).values()
    place = store_now(counter)
    planned = plan_vouchers(owned, cart=cart, list_fen={}, store=place, at=NOW)
    plan = best_plan(lines=plan_lines([(cart[0], 1)]), vouchers=planned)
    [use] = counter.redeem(voucher.code).uses
    try:
        asked_fen = by_qr(counter, Redemption.objects.get(pk=use.redemption_id), order).amount_fen
    except NothingToSurcharge:
        asked_fen = 0

    assert (plan.due_fen, asked_fen) == (due_fen, due_fen)


def chosen(product: Product, *names: str) -> Extra:
    options = Option.objects.filter(group__products=product, name__in=names)
    return Extra(product_id=product.pk, option_ids=tuple(options.values_list("id", flat=True)))


def test_a_request_is_answered_once(counter: Counter, redemption: Redemption) -> None:
    key = uuid4()
    first = by_qr(counter, redemption, request_id=key)
    again = surcharges.ask_by_qr(provider="sandbox", **given(counter, redemption, key=key))

    assert (again.surcharge, again.is_repeat) == (first, True)
    with pytest.raises(IdempotencyConflict):
        by_qr(counter, redemption, Extra(reason="升大杯", amount_fen=600), request_id=key)
    with pytest.raises(IdempotencyConflict):
        at_till(counter, redemption, request_id=key)
    [use] = counter.redeem(counter.voucher().code).uses
    with pytest.raises(IdempotencyConflict):
        by_qr(counter, Redemption.objects.get(pk=use.redemption_id), request_id=key)


def test_a_stranger_finds_no_redemption(counter: Counter, redemption: Redemption) -> None:
    stranger = counters.counter()

    for refused in ({"operator_id": stranger.clerk.pk}, {"redemption_id": uuid4()}):
        with pytest.raises(RedemptionNotFound):
            by_qr(counter, redemption, **refused)


def test_nothing_is_asked_for_a_drink_that_was_undone_or_can_no_longer_be(
    counter: Counter, redemption: Redemption
) -> None:
    assert redemption.reversible_until is not None
    with pytest.raises(SurchargeTooLate):
        by_qr(counter, redemption, at=redemption.reversible_until)
    undo(counter, redemption)
    with pytest.raises(RedemptionAlreadyReversed):
        at_till(counter, redemption)


def test_a_capture_pays_it_once_however_often_it_is_told(counter: Counter, redemption: Redemption) -> None:
    surcharge = by_qr(counter, redemption)

    pay_surcharge(surcharge, "sbx_1", at=LATER)
    pay_surcharge(surcharge, "sbx_1", at=LATER)

    assert state(surcharge) == "paid"
    assert (surcharge.paid_at, surcharge.provider_reference) == (LATER, "sbx_1")
    assert posted() == [("surcharge", 500)]


@pytest.mark.parametrize(
    ("told", "alarm"),
    [({"amount_fen": 499}, "alarm.wrong_amount"), ({"currency": "USD"}, "alarm.wrong_currency")],
)
def test_wrong_money_goes_back_and_it_still_waits(
    counter: Counter, redemption: Redemption, told: dict[str, Any], alarm: str
) -> None:
    surcharge = by_qr(counter, redemption)

    pay_surcharge(surcharge, "sbx_1", **told)

    assert state(surcharge) == "open"
    assert Refund.objects.get().source_kind == "unwanted_capture"
    assert AuditEntry.objects.filter(act=alarm).exists()


def test_a_second_capture_goes_back(counter: Counter, redemption: Redemption) -> None:
    surcharge = by_qr(counter, redemption)

    pay_surcharge(surcharge, "sbx_1")
    pay_surcharge(surcharge, "sbx_2")

    assert posted() == [("surcharge", 500), ("unwanted_capture", 500)]
    assert AuditEntry.objects.filter(act="alarm.second_capture").exists()


def test_a_capture_of_no_surcharge_of_ours_is_alarmed(counter: Counter, redemption: Redemption) -> None:
    surcharge = by_qr(counter, redemption)
    surcharge.id = uuid4()

    pay_surcharge(surcharge, "sbx_1")

    assert AuditEntry.objects.filter(act="alarm.unknown_payment").exists()
    assert not Refund.objects.exists()


def test_nobody_pays_and_it_is_closed_after_its_provider_said_so(
    counter: Counter, redemption: Redemption, provider: FakeProvider
) -> None:
    surcharge = by_qr(counter, redemption)
    assert surcharge_endings.close_unpaid(limit=10, at=NOW + timedelta(minutes=4)) == 0
    provider.is_silent = True
    assert surcharge_endings.close_unpaid(limit=10, at=LATER) == 0
    assert state(surcharge) == "open", "a silent provider may have its money"
    provider.is_silent = False
    assert surcharge_endings.close_unpaid(limit=10, at=LATER) == 0, "somebody asked a moment ago"

    assert surcharge_endings.close_unpaid(limit=10, at=LATER + timedelta(minutes=1)) == 1

    assert state(surcharge) == "closed"


def test_what_was_paid_untold_is_found_by_asking(
    counter: Counter, redemption: Redemption, provider: FakeProvider
) -> None:
    surcharge = by_qr(counter, redemption)
    provider.pay(surcharge)  # type: ignore[arg-type]

    assert surcharge_endings.close_unpaid(limit=10, at=LATER) == 1
    notices.apply_notices(limit=10, at=LATER)

    assert state(surcharge) == "paid"


def test_money_that_comes_too_late_goes_back(counter: Counter, redemption: Redemption, provider: FakeProvider) -> None:
    surcharge = by_qr(counter, redemption)
    surcharge_endings.close_unpaid(limit=10, at=LATER)

    pay_surcharge(surcharge, "sbx_1", at=LATER)

    assert state(surcharge) == "closed"
    assert posted() == [("unwanted_capture", 500)]


def test_an_undone_drink_gives_back_each_way_its_own(
    counter: Counter, redemption: Redemption, provider: FakeProvider
) -> None:
    paid, cash, waiting = by_qr(counter, redemption), at_till(counter, redemption), by_qr(counter, redemption)
    provider.pay(paid)  # type: ignore[arg-type]
    pay_surcharge(paid, provider.book.payments[paid.public_id].captures[0].transaction)

    undo(counter, redemption)

    assert [state(one) for one in (paid, cash, waiting)] == ["returning", "given_back", "closed"]
    refund = Refund.objects.get()
    assert (refund.source_kind, refund.source_id, refund.amount_fen) == ("surcharge", paid.pk, 500)
    assert sorted(posted()) == sorted(
        [("surcharge_at_till", 500), ("surcharge", 500), ("surcharge_back_at_till", 500), ("surcharge_refund", 500)]
    )

    refund_sending.send_refunds(limit=10, at=LATER)
    provider.settle_refunds()
    refund_sending.send_refunds(limit=10, at=LATER + timedelta(hours=1))
    notices.apply_notices(limit=10, at=LATER + timedelta(hours=1))
    assert state(paid) == "given_back"
    assert ("refund_paid", 500) in posted()


def test_a_counter_asks_and_looks_over_http() -> None:
    counter = counters.counter()
    now = datetime.now(UTC)
    [use] = counter.redeem(counter.voucher(bought_at=now).code, at=now).uses
    clerk, path = as_staff(counter.clerk), f"redemptions/{use.public_id}/surcharges"
    key = uuid4()
    body = {"way": "provider", "amount_fen": 500, "reason": "升大杯"}

    asked, again = post(path, clerk, body, key=key), post(path, clerk, body, key=key)
    assert (asked.status_code, again.status_code, again.json()["id"]) == (201, 200, asked.json()["id"])
    assert asked.json()["parameters"]["amount_fen"] == 500
    till = post(path, clerk, {**body, "way": "till"})
    assert (till.json()["status"], till.json()["parameters"]) == ("paid", None)
    assert get(f"surcharges/{asked.json()['id']}", clerk).json()["status"] == "open"
    listed = get(f"stores/{counter.store.public_id}/surcharges", clerk).json()["items"]
    assert {row["id"] for row in listed} == {asked.json()["id"], till.json()["id"]}

    for odd in (
        {"way": "till"},
        {"way": "till", "amount_fen": 5},
        {**body, "product": "prd_" + "0" * 32},
        {**body, "options": []},
    ):
        assert error_of(post(path, clerk, odd)) == (422, "malformed_request")
    stranger = as_staff(counters.counter().clerk)
    assert error_of(post(path, stranger, body)) == (404, "redemption_not_found")
    assert error_of(get(f"surcharges/{asked.json()['id']}", stranger)) == (404, "surcharge_not_found")
    assert error_of(get(f"stores/{counter.store.public_id}/surcharges", stranger)) == (404, "store_not_found")
