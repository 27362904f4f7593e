"""Paid purchases become vouchers."""

from datetime import timedelta
from uuid import uuid4

import pytest

from config.kernel.models import AuditEntry, OutboxMessage
from orders.models import Account, LedgerTransfer, Purchase
from orders.services import issuing
from orders.services.issuing import issue_paid
from orders.services.ledger import balance
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from vouchers.models import CodeCounter, Voucher

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=1)


def test_each_unit_of_a_paid_purchase_becomes_a_voucher_of_its_buyer() -> None:
    purchase = paid.purchase(quantity=3)

    assert issue_paid(limit=10, at=LATER) == 1

    vouchers = Voucher.objects.filter(source_kind="purchase", source_id=purchase.pk)
    assert {voucher.customer_id for voucher in vouchers} == {purchase.customer_id}
    assert [voucher.paid_fen for voucher in vouchers] == [990, 990, 990]
    purchase.refresh_from_db()
    assert (purchase.status, purchase.issued_at) == ("issued", LATER)


def test_the_money_turns_from_prepaid_into_liability() -> None:
    purchase = paid.purchase(quantity=3)

    issue_paid(limit=10, at=LATER)

    transfer = LedgerTransfer.objects.get(kind="issue")
    assert (transfer.source_id, transfer.amount_fen, transfer.occurred_at) == (purchase.pk, 2_970, LATER)
    liability = Account.objects.get(brand=purchase.brand, kind="voucher_liability")
    assert balance(liability) == sum(Voucher.objects.values_list("paid_fen", flat=True))


@pytest.mark.parametrize("status", ["accepted", "closed"])
def test_what_is_not_paid_is_not_issued(status: str) -> None:
    paid.purchase(status=status, paid_at=None, closed_at=NOW if status == "closed" else None)

    assert issue_paid(limit=10, at=LATER) == 0
    assert not Voucher.objects.exists()


def test_a_repeat_issues_nothing_more() -> None:
    paid.purchase()
    issue_paid(limit=10, at=LATER)

    assert issue_paid(limit=10, at=LATER) == 0
    assert Voucher.objects.count() == 1


def test_a_batch_is_bounded_and_the_oldest_go_first() -> None:
    young = paid.purchase(accepted_at=NOW)
    old = paid.purchase(brand=young.brand, accepted_at=NOW - timedelta(minutes=1))

    assert issue_paid(limit=1, at=LATER) == 1

    assert set(Purchase.objects.filter(status="issued")) == {old}
    assert issue_paid(limit=1, at=LATER) == 1


def test_a_batch_leaves_one_trail_and_one_message_for_each_brand() -> None:
    one = paid.purchase(quantity=2)
    paid.purchase(brand=one.brand)
    other = paid.purchase()

    issue_paid(limit=10, at=LATER)

    trail = AuditEntry.objects.filter(act="purchases.issued").values_list("brand_id", "subject_count", "details")
    assert {brand: (count, details) for brand, count, details in trail} == {
        one.brand_id: (2, {"vouchers": 3}),
        other.brand_id: (1, {"vouchers": 1}),
    }
    messages = OutboxMessage.objects.filter(topic="vouchers.issued").values_list("brand_id", "item_count")
    assert dict(messages) == {one.brand_id: 3, other.brand_id: 1}


def test_a_purchase_without_reserved_numbers_waits_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker took the one we had looked at, and a bigger one came up."""
    first = paid.purchase(quantity=1, accepted_at=NOW)
    reserve_for = issuing.code_numbers.reserve_for

    def reserve_while_another_comes(counts: dict) -> object:  # type: ignore[type-arg]
        paid.purchase(brand=first.brand, quantity=2, accepted_at=NOW - timedelta(minutes=1))
        paid.purchase(quantity=1, accepted_at=NOW - timedelta(minutes=1))
        return reserve_for(counts)

    with monkeypatch.context() as patch:
        patch.setattr(issuing.code_numbers, "reserve_for", reserve_while_another_comes)
        assert issue_paid(limit=10, at=LATER) == 1

    assert set(Purchase.objects.filter(status="issued")) == {first}
    assert issue_paid(limit=10, at=LATER) == 2


def test_a_failed_batch_leaves_the_purchase_paid_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    purchase = paid.purchase()

    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(issuing.ledger, "post", fail)
        with pytest.raises(ZeroDivisionError):
            issue_paid(limit=10, at=LATER)

    purchase.refresh_from_db()
    assert purchase.status == "paid"
    assert not Voucher.objects.exists()
    assert not AuditEntry.objects.exists()
    assert CodeCounter.objects.get().next_number == 1, "the numbers are spent, which is harmless"
    assert issue_paid(limit=10, at=LATER) == 1


def test_a_times_card_is_issued_with_what_each_use_cost() -> None:
    brand = factories.brand()
    card = factories.terms(factories.deal(brand, kind="times_card"))
    paid.purchase(brand=brand, terms=card, unit_price_fen=2_000, request_id=uuid4())

    issue_paid(limit=10, at=LATER)

    voucher = Voucher.objects.get()
    assert voucher.uses_total == 3
    assert sum(voucher.use_amounts_fen) == voucher.paid_fen == 2_000
