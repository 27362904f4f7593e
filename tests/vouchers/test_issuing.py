"""issuing.issue writes what was paid for, once, with codes and dates that hold."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.kernel.ids import parse
from config.kernel.models import OutboxMessage
from stores.models import Brand, Customer
from tests import factories
from tests.factories import NOW
from vouchers import codes
from vouchers.models import CodeCounter, DealTerms, Voucher
from vouchers.services import code_numbers, issuing
from vouchers.services.issuing import IssueOrder

pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def customer(brand: Brand) -> Customer:
    return factories.customer(brand)


@pytest.fixture
def terms(brand: Brand) -> DealTerms:
    return factories.terms(factories.deal(brand))


def order(terms: DealTerms, customer: Customer, **fields: Any) -> IssueOrder:
    plain: dict[str, Any] = {
        "source_kind": "purchase",
        "source_id": uuid4(),
        "brand_id": customer.brand_id,
        "customer_id": customer.id,
        "terms_id": terms.id,
        "quantity": 1,
        "unit_paid_fen": 990,
        "bought_at": NOW,
    }
    return IssueOrder(**{**plain, **fields})


def issue(*orders: IssueOrder) -> list[Voucher]:
    counts: dict[UUID, int] = {}
    for one in orders:
        counts[one.brand_id] = counts.get(one.brand_id, 0) + one.quantity
    ranges = {
        brand_id: range(first, first + count)
        for brand_id, count in counts.items()
        for first in [Voucher.objects.filter(brand_id=brand_id).count()]
    }
    with transaction.atomic():
        issued = issuing.issue(orders, numbers=code_numbers.CodeNumbers(ranges), at=NOW)
    stored = Voucher.objects.in_bulk(issued)
    return [stored[voucher_id] for voucher_id in issued]


def test_each_unit_becomes_a_voucher_of_the_source(terms: DealTerms, customer: Customer) -> None:
    bought = order(terms, customer, quantity=3)

    issued = issue(bought)

    stored = list(Voucher.objects.filter(source_id=bought.source_id).order_by("ordinal"))
    assert [voucher.id for voucher in stored] == [voucher.id for voucher in issued]
    assert [voucher.ordinal for voucher in stored] == [1, 2, 3]
    assert {(v.paid_fen, v.uses_left, v.status, v.customer_id) for v in stored} == {(990, 1, "issued", customer.id)}


def test_codes_are_the_brands_own_sequence_under_its_key(terms: DealTerms, customer: Customer) -> None:
    issued = issue(order(terms, customer, quantity=2), order(terms, customer))

    key = codes.key_of(secret=settings.SECRETS.voucher_code_key, brand_id=customer.brand_id, issuer="own")
    assert [codes.number_of(voucher.code, key) for voucher in issued] == [0, 1, 2]


def test_what_a_card_cost_is_split_over_its_uses_by_their_list_prices(brand: Brand, customer: Customer) -> None:
    card = factories.terms(
        factories.deal(brand, kind="times_card"), list_price_fen=4_000, use_list_fen=[2_000, 1_000, 1_000]
    )

    [voucher] = issue(order(card, customer, unit_paid_fen=999))

    assert (voucher.uses_total, voucher.uses_left) == (3, 3)
    assert voucher.use_amounts_fen == [499, 250, 250]


def test_n_days_end_at_the_brands_midnight_after_the_nth_day(terms: DealTerms, customer: Customer) -> None:
    late_evening = datetime(2026, 6, 1, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Shanghai, 1 June
    after_midnight = late_evening + timedelta(seconds=1)

    first, second = issue(
        order(terms, customer, bought_at=late_evening), order(terms, customer, bought_at=after_midnight)
    )

    assert (first.valid_from, first.valid_until) == (late_evening, datetime(2026, 7, 1, 16, tzinfo=UTC))
    assert second.valid_until == datetime(2026, 7, 2, 16, tzinfo=UTC)


def test_n_days_are_calendar_days_where_clocks_change(brand: Brand) -> None:
    Brand.objects.filter(pk=brand.pk).update(zone="Europe/Berlin")
    terms = factories.terms(factories.deal(brand), usable_days=1)

    [voucher] = issue(order(terms, factories.customer(brand), bought_at=datetime(2026, 10, 24, 10, tzinfo=UTC)))

    assert voucher.valid_until == datetime(
        2026, 10, 25, 23, tzinfo=UTC
    )  # midnight of the 26th, an hour later than UTC+2


def test_fixed_terms_name_both_ends(brand: Brand, customer: Customer) -> None:
    fixed = factories.terms(
        factories.deal(brand),
        validity="fixed",
        usable_days=None,
        usable_from=NOW + timedelta(days=1),
        usable_until=NOW + timedelta(days=9),
    )

    [voucher] = issue(order(fixed, customer))

    assert (voucher.valid_from, voucher.valid_until) == (NOW + timedelta(days=1), NOW + timedelta(days=9))


def test_a_source_issues_once(terms: DealTerms, customer: Customer) -> None:
    bought = order(terms, customer, quantity=2)
    issue(bought)

    with pytest.raises(IntegrityError, match="voucher_is_issued_once_per_source"):
        issue(bought)


def test_several_brands_in_one_batch_are_announced_each_once_without_codes(
    terms: DealTerms, customer: Customer
) -> None:
    other = factories.brand()
    other_terms = factories.terms(factories.deal(other))

    issued = issue(
        order(terms, customer, quantity=2), order(other_terms, factories.customer(other)), order(terms, customer)
    )

    messages = {message.brand_id: message for message in OutboxMessage.objects.filter(topic="vouchers.issued")}
    assert {brand_id: message.item_count for brand_id, message in messages.items()} == {
        customer.brand_id: 3,
        other.id: 1,
    }
    told = {parse("vch", item["voucher"]) for message in messages.values() for item in message.items}
    assert told == {voucher.id for voucher in issued}
    assert not any(voucher.code in str(message.items) for voucher in issued for message in messages.values())


def test_statements_do_not_grow_with_the_batch(terms: DealTerms, customer: Customer) -> None:
    issue(order(terms, customer))
    with CaptureQueriesContext(connection) as few:
        issue(order(terms, customer))
    with CaptureQueriesContext(connection) as many:
        issue(*[order(terms, customer, quantity=3) for _ in range(50)])

    assert len(many) == len(few)


def test_numbers_are_reserved_once_each_and_outside_the_issuing_transaction(brand: Brand) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        code_numbers.reserve(brand_id=brand.id, count=1)
    assert not CodeCounter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_reserving_hands_out_consecutive_runs_per_issuer() -> None:
    brand = factories.brand()

    assert code_numbers.reserve(brand_id=brand.id, count=5) == range(5)
    assert code_numbers.reserve(brand_id=brand.id, count=2) == range(5, 7)
    assert code_numbers.reserve(brand_id=brand.id, issuer="douyin", count=1) == range(1)
    taken = code_numbers.reserve_for({brand.id: 3})
    assert (taken.take(brand.id, 1), taken.take(brand.id, 2)) == (range(7, 8), range(8, 10))
    with pytest.raises(AssertionError):
        taken.take(brand.id, 1)
