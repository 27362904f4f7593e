"""Vouchers that nobody can honour any more: told, and refunded in batches."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import MACHINE
from config.kernel.models import AuditEntry, OutboxMessage
from orders.models import LedgerTransfer, Refund
from orders.services import recalls, refunds
from orders.services.issuing import issue_paid
from stores.models import Store
from stores.services import opening
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import DealTerms, Voucher
from vouchers.services import holds
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def terms(counter: Counter) -> DealTerms:
    """Honoured at the counter's store alone; their vouchers are otherwise not refundable."""
    return counter.terms(store_scope={"stores": [counter.store.public_id]}, refundable_unused=False)


def bought(terms: DealTerms, count: int) -> list[Voucher]:
    purchase = paid.purchase(brand=terms.deal.brand, terms=terms, quantity=count)
    issue_paid(limit=10, at=NOW)
    return list(Voucher.objects.filter(source_id=purchase.pk).order_by("ordinal"))


def close(store: Store) -> None:
    opening.close(store_id=store.pk, reason="租约到期", by=MACHINE, at=LATER)


def sweep(limit: int = 10) -> int:
    return recalls.refund_recalled(limit=limit, at=LATER)


def statuses() -> list[str]:
    return list(Voucher.objects.order_by("source_id", "ordinal").values_list("status", flat=True))


def test_open_vouchers_are_given_back_whatever_their_terms_say(counter: Counter, terms: DealTerms) -> None:
    vouchers = bought(terms, 3)
    counter.redeem(vouchers[0].code)
    close(counter.store)

    assert (sweep(), sweep()) == (2, 0)

    assert statuses() == ["used", "refunding", "refunding"]
    found = Refund.objects.filter(source_kind="voucher").order_by("id")
    assert {refund.source_id: refund.amount_fen for refund in found} == {one.pk: 990 for one in vouchers[1:]}
    assert LedgerTransfer.objects.filter(kind="refund_unused").count() == 2


def test_each_batch_is_told_once_with_every_voucher(counter: Counter, terms: DealTerms) -> None:
    vouchers = bought(terms, 3)
    close(counter.store)

    assert [sweep(limit=2), sweep(limit=2)] == [2, 1]

    told = OutboxMessage.objects.filter(topic="vouchers.recalled")
    assert sorted(message.item_count for message in told) == [1, 2]
    items = {item["voucher"]: item for message in told for item in message.items}
    assert items.keys() == {voucher.public_id for voucher in vouchers}
    assert items[vouchers[0].public_id] == {
        "voucher": vouchers[0].public_id,
        "customer": f"cus_{vouchers[0].customer_id.hex}",
        "terms": terms.public_id,
        "cause": "store_closed",
        "uses": 1,
        "amount_fen": 990,
    }
    assert list(AuditEntry.objects.filter(act="vouchers.recalled").values_list("subject_count", flat=True)) == [2, 1]


def test_a_crash_between_batches_loses_and_doubles_nothing(
    counter: Counter, terms: DealTerms, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(terms, 4)
    close(counter.store)
    assert sweep(limit=2) == 2
    tell = recalls._tell
    monkeypatch.setattr(recalls, "_tell", lambda *args, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sweep(limit=2)
    assert statuses().count("issued") == Refund.objects.count() == 2, "the batch that crashed left nothing"
    monkeypatch.setattr(recalls, "_tell", tell)

    assert (sweep(), sweep()) == (2, 0)

    assert Refund.objects.count() == 4
    assert sum(message.item_count for message in OutboxMessage.objects.filter(topic="vouchers.recalled")) == 4


def test_what_is_issued_undone_or_let_go_later_is_found_then(counter: Counter, terms: DealTerms) -> None:
    used, held = bought(terms, 2)
    [use] = counter.redeem(used.code).uses
    order_id = uuid4()
    with transaction.atomic():
        [hold] = holds.hold(uses={held.pk: 1}, source_kind="store_order", source_id=order_id, expires_at=None, at=NOW)
    unissued = paid.purchase(brand=terms.deal.brand, terms=terms)
    close(counter.store)
    assert sweep() == 0

    issue_paid(limit=10, at=LATER)
    assert sweep() == 1
    assert Voucher.objects.get(source_id=unissued.pk).status == "refunding"
    reverse(redemption_id=use.redemption_id, operator=counter.clerk, request_id=uuid4(), at=LATER)
    assert sweep() == 1
    with transaction.atomic():
        holds.release(holds.Lease("store_order", order_id, hold.fence), at=LATER)
    assert sweep() == 1


def test_a_partly_used_card_gives_back_its_unused_uses(counter: Counter) -> None:
    terms = counter.terms(kind="times_card", store_scope={"stores": [counter.store.public_id]})
    purchase = paid.purchase(brand=terms.deal.brand, terms=terms, unit_price_fen=3_000)
    issue_paid(limit=10, at=NOW)
    card = Voucher.objects.get(source_id=purchase.pk)
    counter.redeem(card.code)
    close(counter.store)

    sweep()

    assert Refund.objects.get().amount_fen == 2_000


def test_a_granted_voucher_is_told_and_worth_nothing(counter: Counter, terms: DealTerms) -> None:
    voucher = counter.voucher(terms, paid_fen=0)
    Voucher.objects.filter(pk=voucher.pk).update(source_kind="grant")
    close(counter.store)

    assert sweep() == 1

    assert statuses() == ["refunded"]
    assert not Refund.objects.exists()
    assert OutboxMessage.objects.get(topic="vouchers.recalled").items[0]["amount_fen"] == 0


def test_another_issuers_voucher_is_left_to_it(counter: Counter, terms: DealTerms) -> None:
    [voucher] = bought(terms, 1)
    Voucher.objects.filter(pk=voucher.pk).update(issuer="douyin")
    close(counter.store)

    assert sweep() == 0
    assert statuses() == ["issued"]


def test_a_batch_takes_the_same_statements_however_many_it_holds(counter: Counter, terms: DealTerms) -> None:
    bought(terms, 3)
    for _ in range(9):
        bought(terms, 9)
    close(counter.store)
    assert sweep(limit=1) == 1, "the ledger's accounts are known"
    with CaptureQueriesContext(connection) as small:
        assert sweep(limit=2) == 2
    with CaptureQueriesContext(connection) as large:
        assert sweep(limit=80) == 80

    assert len(large) == len(small)


def test_nothing_recalled_costs_one_look(counter: Counter) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert sweep() == 0

    assert len([query for query in captured if "SELECT" in query["sql"]]) == 1


def test_giving_back_belongs_to_the_transaction_that_ends_the_uses() -> None:
    with pytest.raises(AssertionError):
        refunds.give_back([], kind=LedgerTransfer.Kind.REFUND_UNUSED, source=Refund.Source.VOUCHER, at=NOW)
