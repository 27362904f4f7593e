"""Whatever a customer can name leads to her voucher, and never to another brand's."""

from typing import Any

import pytest
from django.db import transaction

from orders.models import AppliedVoucher, Payment, Refund
from orders.queries import desk
from orders.services import refunds
from orders.services.issuing import issue_paid
from stores.services import customers
from tests import factories
from tests.factories import NOW
from tests.orders import ordering, paid
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, get
from vouchers.models import IssuerVoucher, Redemption, Voucher

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "13800137788"


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def voucher(counter: Counter) -> Voucher:
    """Bought by somebody with a phone, and used in an order; somebody else has one as well."""
    hers, other = factories.customer(counter.brand), factories.customer(counter.brand)
    with transaction.atomic():
        customers.keep_phone(customer=hers, number=f"+86{PHONE}")
    bought = paid.purchase(brand=counter.brand, customer_id=hers.pk)
    paid.purchase(brand=counter.brand, customer_id=other.pk)
    issue_paid(limit=10, at=NOW)
    return Voucher.objects.get(source_id=bought.pk)


def found(voucher: Voucher, text: str) -> list[tuple[Voucher, str]]:
    return [(one.voucher, one.by) for one in desk.search(brand_id=voucher.brand_id, text=text).found]


class TestWhatACustomerCanName:
    def test_her_phone_and_its_end(self, voucher: Voucher) -> None:
        assert found(voucher, "138 0013 7788") == [(voucher, "phone")]
        assert (voucher, "phone_end") in found(voucher, "7788")
        assert found(voucher, "13800137789") == []

    def test_the_code_and_its_end(self, voucher: Voucher) -> None:
        spaced = " ".join(voucher.code[i : i + 4] for i in range(0, 12, 4))

        assert found(voucher, spaced) == [(voucher, "code")]
        assert found(voucher, voucher.code[-8:]) == [(voucher, "code_end")]

    def test_the_purchase_its_payment_and_the_voucher(self, voucher: Voucher) -> None:
        payment = Payment.objects.get(purchase_id=voucher.source_id)
        assert payment.purchase is not None

        assert found(voucher, payment.purchase.public_id) == [(voucher, "purchase")]
        assert found(voucher, payment.public_id) == [(voucher, "payment")]
        assert found(voucher, voucher.public_id) == [(voucher, "voucher")]
        assert found(voucher, voucher.customer.public_id) == [(voucher, "customer")]

    def test_the_order_and_the_redemption(self, counter: Counter, voucher: Voucher) -> None:
        order = ordering.confirmed(counter, voucher=voucher)
        redemption = Redemption.objects.get(voucher=voucher)

        assert AppliedVoucher.objects.get().order_id == order.pk
        assert found(voucher, order.public_id) == [(voucher, "order")]
        assert found(voucher, redemption.public_id) == [(voucher, "redemption")]

    def test_the_refund(self, voucher: Voucher) -> None:
        refunds.request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=voucher.pk, at=NOW)

        assert found(voucher, Refund.objects.get().public_id) == [(voucher, "refund")]

    def test_the_number_at_another_platform(self, voucher: Voucher) -> None:
        IssuerVoucher.objects.create(
            voucher=voucher,
            order_external_id="DY-10086",
            customer_fen=[990],
            platform_fen=[0],
            merchant_fen=[0],
            imported_at=NOW,
        )

        assert found(voucher, "DY-10086") == [(voucher, "platform_order")]


@pytest.mark.parametrize("text", ["vch_", "pur_00", "xyz_123456", "😀😀😀😀", "%%%%", "____", "' OR 1=1", "9" * 60])
def test_rubbish_names_nothing(voucher: Voucher, text: str) -> None:
    assert found(voucher, text) == []


def test_another_brands_voucher_is_not_there(voucher: Voucher) -> None:
    other = factories.brand()

    for text in (voucher.public_id, voucher.code, PHONE, voucher.customer.public_id):
        assert desk.search(brand_id=other.pk, text=text).found == []


def test_more_than_a_screen_is_said_to_be_more(voucher: Voucher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MOST_FOUND", 1)
    paid.purchase(brand=voucher.brand, customer_id=voucher.customer_id)
    issue_paid(limit=10, at=NOW)

    findings = desk.search(brand_id=voucher.brand_id, text=voucher.customer.public_id)

    assert (len(findings.found), findings.is_whole) == (1, False)
    assert findings.found[0].voucher.pk > voucher.pk


def test_over_http_neither_code_nor_phone_is_shown_whole(counter: Counter, voucher: Voucher) -> None:
    agent = as_staff(factories.staff(counter.brand, role="customer_service").user)

    body: Any = get("after-sale/search", agent, q=PHONE).json()

    [line] = body["found"]
    assert (line["voucher"], line["phone"], line["by"]) == (voucher.public_id, "****7788", "phone")
    assert line["code"].endswith(voucher.code[-4:])
    assert voucher.code not in str(body)
