"""Invoices: what was really paid, once, in the seller's name; what is given back later is taken off in red."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from config.accounts import tokens
from config.kernel.errors import IdempotencyConflict
from config.kernel.tax_numbers import is_credit_code
from orders.errors import (
    AlreadyInvoiced,
    ExportTooLong,
    InvoicedWithItsOrder,
    NothingToInvoice,
    NotInvoiceableYet,
    SellerHasNoTaxNumber,
    StoreOrderNotFound,
)
from orders.models import Invoice, InvoiceLine, Settlement, StoreOrder
from orders.queries import invoice_files
from orders.services import invoicing, surcharges
from orders.services.settling import settle_uses
from orders.services.settling_cash import settle_order_cash, settle_surcharges
from orders.services.surcharges import Extra
from stores.errors import TaxNumberInvalid
from stores.models import Brand
from stores.queries import Books
from tests import factories
from tests.factories import NOW
from tests.orders import invoiced, ordering, settled
from tests.orders.invoiced import HER_COMPANY, HERSELF, TAX_NUMBER, asked
from tests.orders.settled import AFTER
from tests.orders.world import called
from tests.vouchers import fake_platform, granted
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers.errors import RedemptionNotFound
from vouchers.issuers.interface import CallState, RedeemAnswer
from vouchers.models import IssuerVoucher, Redemption
from vouchers.services import issuer_import, issuer_outcomes

pytestmark = pytest.mark.django_db
MADE_AT = NOW + timedelta(minutes=2)
DAY_AFTER = AFTER + timedelta(days=1)


@pytest.fixture
def counter() -> Counter:
    made = settled.counter()
    invoiced.may_sell(made.entity)
    return made


def drunk(counter: Counter) -> Redemption:
    """A use of ¥9.70 with a large cup for ¥5.00 more, both settled."""
    redemption = settled.used(counter)
    surcharges.record_at_till(
        redemption_id=redemption.pk,
        extra=Extra(reason="大杯", amount_fen=500),
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW,
    )
    settle_uses(at=AFTER)
    settle_surcharges(at=AFTER)
    return Redemption.objects.get(pk=redemption.pk)


def parts(invoice: Invoice) -> tuple[int, ...]:
    return (
        invoice.voucher_fen,
        invoice.surcharge_fen,
        invoice.cash_fen,
        invoice.refunded_fen,
        invoice.amount_fen,
    )


def ordered(counter: Counter) -> StoreOrder:
    """An order of two cups: one use of ¥9.70 takes ¥19.00 off, ¥19.00 are due; ready, and all of it settled."""
    [voucher] = settled.bought(counter)
    cup = factories.product(counter.brand)
    order = ordering.pay(ordering.place(counter, ordering.priced((cup, 2), uses=[(voucher, 1, ordering.CUP_FEN)])))
    ordering.move(counter, order, "accept", "begin_making", "ready", at=MADE_AT)
    settle_uses(at=DAY_AFTER)
    settle_order_cash(at=DAY_AFTER)
    return StoreOrder.objects.get(pk=order.pk)


def test_a_use_is_invoiced_for_what_was_really_paid(counter: Counter) -> None:
    redemption, key = drunk(counter), uuid4()

    made = asked(redemption, HER_COMPANY, request_id=key)

    assert made.is_new
    assert parts(made.row) == (970, 500, 0, 0, 1_470)
    assert (made.row.seller_name, made.row.seller_tax_number) == ("江南餐饮有限公司", TAX_NUMBER)
    assert (made.row.title, made.row.tax_number) == (HER_COMPANY.name, TAX_NUMBER)
    again = asked(redemption, HER_COMPANY, request_id=key)
    assert (again.row, again.is_new) == (made.row, False)
    with pytest.raises(IdempotencyConflict):
        asked(redemption, HERSELF, request_id=key)
    with pytest.raises(AlreadyInvoiced):
        asked(redemption)


def test_an_order_is_invoiced_with_its_uses_and_its_cash(counter: Counter) -> None:
    order = ordered(counter)

    assert parts(asked(order, at=DAY_AFTER).row) == (970, 0, 1_900, 0, 2_870)
    with pytest.raises(InvoicedWithItsOrder):
        asked(Redemption.objects.get())


def test_what_was_given_back_before_is_left_out_and_after_comes_in_red(counter: Counter) -> None:
    redemption = drunk(counter)
    settled.refunded(redemption, 200)
    blue = asked(redemption).row
    refund = settled.refunded(redemption, 300, at=DAY_AFTER)

    assert parts(blue) == (970, 500, 0, 200, 1_270)
    red = Invoice.objects.get(kind="red")
    assert parts(red) == (0, 0, 0, 300, -300)
    assert (red.corrects, red.title, red.seller_tax_number) == (blue, blue.title, blue.seller_tax_number)
    assert list(red.lines.values_list("settlement_id", "amount_fen")) == [(refund.pk, -300)]
    paid = sum(Settlement.objects.values_list("paid_fen", flat=True))
    assert sum(InvoiceLine.objects.values_list("amount_fen", flat=True)) == paid == 970


def test_a_refund_of_what_was_not_invoiced_corrects_nothing(counter: Counter) -> None:
    settled.refunded(drunk(counter), 300)

    assert not Invoice.objects.exists()


def test_what_can_still_be_undone_waits(counter: Counter) -> None:
    redemption = settled.used(counter)
    with pytest.raises(NotInvoiceableYet):
        asked(redemption)

    surcharges.ask_by_qr(
        redemption_id=redemption.pk,
        extra=Extra(reason="大杯", amount_fen=500),
        provider="sandbox",
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW,
    )
    settle_uses(at=AFTER)
    with pytest.raises(NotInvoiceableYet):
        asked(redemption)


def test_an_order_waits_until_all_of_it_has_settled(counter: Counter) -> None:
    order = ordering.pay(ordering.place(counter))
    with pytest.raises(NotInvoiceableYet):
        asked(order)
    ordering.move(counter, order, "accept", "begin_making", "ready", at=MADE_AT)
    with pytest.raises(NotInvoiceableYet):
        asked(order)


def test_nothing_paid_is_nothing_to_invoice(counter: Counter) -> None:
    customer = factories.customer(counter.brand)
    made = granted.grant(counter.terms(), granted.to(customer), by=granted.staff(counter.clerk))
    granted.issue_all()
    counter.redeem(granted.vouchers_of(made)[0].code)
    gift = Redemption.objects.get()
    all_back = drunk_without_more(counter)
    settled.refunded(all_back, 970)

    for nothing in (gift, all_back):
        with pytest.raises(NothingToInvoice):
            asked(nothing)


def drunk_without_more(counter: Counter) -> Redemption:
    line = settled.settled(counter)
    return Redemption.objects.get(pk=line.pk)


def test_what_a_platform_added_is_not_the_customer_s(counter: Counter) -> None:
    platform = FakePlatform()
    fake_platform.honoured_at(counter.store, platform)
    [voucher] = issuer_import.take_in(
        brand_id=counter.brand.pk, issuer="douyin", certificates=[platform.sell()], at=NOW
    )
    call = called(counter, voucher)
    answer = RedeemAnswer(CallState.DONE, ("v1",), NOW, NOW + timedelta(hours=1))
    issuer_outcomes.apply_redeem(call.pk, answer, at=NOW)
    settle_uses(at=AFTER)

    redemption, sale = Redemption.objects.get(), IssuerVoucher.objects.get()
    made = asked(redemption).row
    assert sale.platform_fen[0] > 0, "the platform added something"
    assert made.amount_fen == sale.customer_fen[0] == redemption.amount_fen - sale.platform_fen[0]


def test_a_seller_without_a_tax_number_waits(counter: Counter) -> None:
    redemption = drunk(counter)
    counter.entity.tax_number = ""
    counter.entity.save()

    with pytest.raises(SellerHasNoTaxNumber):
        asked(redemption)


def test_an_invoice_is_hers_who_paid(counter: Counter) -> None:
    redemption, order = drunk(counter), ordered(counter)
    stranger = factories.customer(counter.brand).pk

    with pytest.raises(RedemptionNotFound):
        asked(redemption, customer_id=stranger)
    with pytest.raises(StoreOrderNotFound):
        asked(order, customer_id=stranger)


@pytest.mark.parametrize(
    "number", ["91350100M000100Y44", "91350100M000100Y4", "91350100m000100y43", "9135O100M000100Y43", "1" * 18]
)
def test_a_company_s_tax_number_is_checked(counter: Counter, number: str) -> None:
    title = invoicing.Title(Invoice.TitleKind.COMPANY, "某某公司", number)

    assert not is_credit_code(number)
    with pytest.raises(TaxNumberInvalid):
        asked(drunk(counter), title)


def test_a_key_names_one_request_of_hers(counter: Counter) -> None:
    vouchers = settled.bought(counter, quantity=2)
    counter.redeem(*(voucher.code for voucher in vouchers))
    settle_uses(at=AFTER)
    first, second = Redemption.objects.order_by("pk")
    key = uuid4()
    asked(first, request_id=key)

    with pytest.raises(IdempotencyConflict):
        asked(second, request_id=key)
    assert asked(second).is_new


def test_a_line_is_never_on_two_invoices(counter: Counter) -> None:
    redemption = drunk(counter)
    invoice = asked(redemption).row

    with pytest.raises(IntegrityError), transaction.atomic():
        InvoiceLine.objects.create(settlement_id=redemption.pk, invoice=invoice, amount_fen=1)
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(amount_fen=1, voucher_fen=0, surcharge_fen=1)


# --- over HTTP -------------------------------------------------------------------------------------


def customer_headers(counter: Counter, redemption: Redemption) -> dict[str, str]:
    token = tokens.sign_customer(
        customer_id=redemption.customer_id, brand_id=counter.brand.pk, at=datetime.now(UTC)
    ).text
    return {"Authorization": f"Bearer {token}"}


def post(headers: dict[str, str], key: Any = None, **body: Any) -> Any:
    headers = {**headers, "Idempotency-Key": str(key or uuid4())}
    return Client().post("/api/v1/invoices", body, content_type="application/json", headers=headers)


def test_a_customer_sees_asks_and_finds_her_invoice(counter: Counter) -> None:
    redemption, key = drunk(counter), uuid4()
    headers = customer_headers(counter, redemption)
    before = Client().get(f"/api/v1/invoices/amount?redemption={redemption.public_id}", headers=headers).json()
    assert (before["amount_fen"], before["can_be_asked"], before["invoice"]) == (1_470, True, None)

    body = {"redemption": redemption.public_id, "title_kind": "company", "title": "某公司", "tax_number": TAX_NUMBER}
    made, again = post(headers, key, **body), post(headers, key, **body)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert (made.json()["amount_fen"], made.json()["source_id"]) == (1_470, redemption.public_id)

    assert Client().get(f"/api/v1/invoices/{made.json()['id']}", headers=headers).json() == made.json()
    assert Client().get("/api/v1/invoices", headers=headers).json()["items"] == [made.json()]
    after = Client().get(f"/api/v1/invoices/amount?redemption={redemption.public_id}", headers=headers).json()
    assert (after["can_be_asked"], after["invoice"]) == (False, made.json()["id"])
    other = customer_headers(counter, settled.used(counter))
    assert Client().get(f"/api/v1/invoices/{made.json()['id']}", headers=other).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"title_kind": "personal", "title": "陈某"},
        {"order": "ord_1", "redemption": "red_1", "title_kind": "personal", "title": "陈某"},
        {"redemption": "red_" + "0" * 32, "title_kind": "company", "title": "某公司"},
        {"redemption": "red_" + "0" * 32, "title_kind": "personal", "title": "陈某", "tax_number": TAX_NUMBER},
        {"redemption": "red_" + "0" * 32, "title_kind": "personal", "title": ""},
        {"redemption": "red_" + "0" * 32, "title_kind": "personal", "title": "长" * 129},
    ],
)
def test_a_request_that_is_none_is_refused(counter: Counter, body: dict[str, Any]) -> None:
    assert post(customer_headers(counter, settled.used(counter)), **body).status_code in (400, 422)


def test_the_brand_s_software_reads_both_colours_and_runs_nothing(counter: Counter) -> None:
    redemption = drunk(counter)
    blue = asked(redemption, invoicing.Title(Invoice.TitleKind.PERSONAL, "=HYPERLINK(1)")).row
    settled.refunded(redemption, 300, at=AFTER)
    day = AFTER.date()
    path = f"/api/v1/invoices.csv?since={day}&until={day + timedelta(days=1)}"

    def file(role: str, **place: Any) -> Any:
        user_id = factories.staff(counter.brand, role=role, **place).user_id
        token = tokens.sign_staff(user_id=user_id, at=datetime.now(UTC)).text
        return Client().get(path, headers={"Authorization": f"Bearer {token}"})

    def rows(answer: Any) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))

    told = rows(file("finance"))
    assert [(row["类型"], row["开票金额"], row["购买方名称"]) for row in told] == [
        ("蓝字", "14.70", "'=HYPERLINK(1)"),
        ("红字", "-3.00", "'=HYPERLINK(1)"),
    ]
    assert [row["对应蓝字编号"] for row in told] == ["", blue.public_id]
    assert {row["销售方税号"] for row in told} == {TAX_NUMBER}
    assert len(rows(file("franchisee", entity=counter.entity))) == 2
    assert rows(file("franchisee", entity=factories.entity(counter.brand, kind="franchisee"))) == []
    assert file("clerk", store=counter.store).status_code == 403


def test_a_file_of_invoices_is_bounded(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(drunk(counter))
    books = Books(Brand.objects.get().pk, None)
    day = AFTER.date()

    with pytest.raises(ExportTooLong):
        invoice_files.of_days(books=books, since=day, until=day + timedelta(days=93))
    monkeypatch.setattr(invoice_files, "ROWS_AT_MOST", 0)
    with pytest.raises(ExportTooLong):
        invoice_files.of_days(books=books, since=day, until=day + timedelta(days=1))
