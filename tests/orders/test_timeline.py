"""A voucher's life, told from the facts: for its customer and for those who help her."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from orders.models import Refund
from orders.queries.happenings import SENTENCES
from orders.queries.timelines import timeline_of
from orders.services import order_moves, refunds
from orders.services.issuing import issue_paid
from orders.services.surcharges import Extra, record_at_till
from tests import factories
from tests.factories import NOW
from tests.orders import ordering, paid
from tests.vouchers import counters, granted
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_customer, as_staff, error_of, get
from vouchers.models import Redemption, Voucher
from vouchers.services.expiry import expire_due
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def card(counter: Counter, *, uses: int = 3) -> Voucher:
    """A times card that somebody bought and paid."""
    terms = counter.terms(kind="times_card", list_price_fen=1_600 * uses, use_list_fen=[1_600] * uses)
    purchase = paid.purchase(brand=counter.brand, terms=terms, unit_price_fen=1_000 * uses)
    issue_paid(limit=10, at=NOW)
    return Voucher.objects.get(source_id=purchase.pk)


def kinds(voucher: Voucher) -> list[str]:
    return [happening.kind for happening in timeline_of(voucher)]


def test_used_surcharged_undone_used_again_and_the_rest_given_back(counter: Counter) -> None:
    voucher = card(counter)
    [use] = counter.redeem(voucher.code, at=NOW + timedelta(minutes=1)).uses
    redemption = Redemption.objects.get(pk=use.redemption_id)
    record_at_till(
        redemption_id=redemption.pk,
        extra=Extra(amount_fen=500, reason="大杯"),
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW + timedelta(minutes=2),
    )
    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=3))
    counter.redeem(voucher.code, at=NOW + timedelta(minutes=4))
    refunds.request_refund(
        voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=NOW + timedelta(hours=2)
    )
    Refund.objects.update(status="succeeded", sent_at=NOW + timedelta(hours=3), succeeded_at=NOW + timedelta(hours=4))

    told = timeline_of(voucher)

    assert [one.kind for one in told] == [
        "bought",
        "paid",
        "issued",
        "redeemed",
        "surcharged",
        "undone",
        "surcharge_returned",
        "redeemed",
        "returned",
        "returned",
        "refund_sent",
        "refund_succeeded",
    ]
    assert [one.at for one in told] == sorted(one.at for one in told)
    assert [one.fen for one in told if one.kind in ("paid", "surcharged", "refund_succeeded")] == [3_000, 500, 2_000]


def test_an_order_that_was_cancelled_and_one_that_was_drunk(counter: Counter) -> None:
    voucher = card(counter)
    product = factories.product(counter.brand)
    order = ordering.confirmed(counter, voucher=voucher, product=product)
    order_moves.cancel(order_id=order.pk, customer_id=voucher.customer_id, at=NOW + timedelta(seconds=30))
    drunk = ordering.confirmed(counter, voucher=voucher, product=product, at=NOW + timedelta(minutes=5))
    ordering.move(counter, drunk, "accept", "begin_making", "ready", "collect", at=NOW + timedelta(minutes=10))

    told = [(one.kind, one.facts.get("order")) for one in timeline_of(voucher) if one.kind.startswith("order_")]

    assert told[:3] == [(kind, order.public_id) for kind in ("order_placed", "order_confirmed", "order_cancelled")]
    assert [kind for kind, of in told if of == drunk.public_id] == [
        "order_placed",
        "order_confirmed",
        "order_accepted",
        "order_making",
        "order_ready",
        "order_collected",
    ]


def test_a_present_that_expired(counter: Counter) -> None:
    grant = granted.grant(counter.terms(), granted.to(factories.customer(counter.brand)))
    granted.issue_all()
    [voucher] = granted.vouchers_of(grant)

    expire_due(limit=10, at=voucher.valid_until + timedelta(days=1))

    assert kinds(voucher)[:2] == ["granted", "issued"]
    assert kinds(voucher)[-1] == "expired"


def test_however_much_happened_it_is_read_in_eleven_statements(
    counter: Counter, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    voucher = card(counter, uses=20)
    for minute in range(1, 13):
        counter.redeem(voucher.code, at=NOW + timedelta(minutes=minute))

    with django_assert_max_num_queries(11):
        assert kinds(voucher).count("redeemed") == 12


@pytest.mark.parametrize("kind", SENTENCES)
def test_every_line_is_a_sentence_in_both_languages(kind: str) -> None:
    zh, en = SENTENCES[kind]
    facts = {"quantity": 2, "reason": "x", "serial": 1, "store": "x", "number": 101, "amount": "¥1.00"}

    assert "{" not in zh.format(**facts) + en.format(**facts)
    assert zh.isascii() is False
    assert en.isascii()


class TestOverHttp:
    def test_she_reads_her_own_in_her_language_and_nobody_elses(self, counter: Counter) -> None:
        voucher = card(counter)
        hers = as_customer(voucher.customer)

        zh, en = (
            get(f"vouchers/{voucher.public_id}/timeline", {**hers, "Accept-Language": language}).json()
            for language in ("zh", "en")
        )

        assert [line["sentence"] for line in zh["happenings"]] == ["下单购买 1 份", "付款 ¥30.00", "券已到账"]
        assert en["happenings"][1]["sentence"] == "Paid ¥30.00"
        stranger = as_customer(factories.customer(counter.brand))
        assert error_of(get(f"vouchers/{voucher.public_id}/timeline", stranger)) == (404, "voucher_not_found")

    def test_customer_service_reads_it_and_a_clerk_does_not(self, counter: Counter) -> None:
        voucher = card(counter)
        agent = as_staff(factories.staff(counter.brand, role="customer_service").user)

        told: Any = get(f"after-sale/vouchers/{voucher.public_id}", agent).json()

        assert [line["kind"] for line in told["happenings"]] == ["bought", "paid", "issued"]
        clerk = as_staff(counter.clerk)
        assert error_of(get(f"after-sale/vouchers/{voucher.public_id}", clerk))[0] in (403, 404)
