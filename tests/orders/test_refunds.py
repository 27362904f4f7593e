"""Unused uses go back to money: by the customer's wish, or because they expired."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry
from orders.models import Account, LedgerTransfer, Payment, Purchase, Refund, RefundRequest
from orders.services import refund_finishing
from orders.services.issuing import issue_paid
from orders.services.ledger import balance
from orders.services.refunds import RefundAnswer, refund_expired, request_refund
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers.counters import counter
from vouchers import errors
from vouchers.models import DealStock, Offer, UseEnding, Voucher
from vouchers.services.expiry import expire_due

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)
CARD: dict[str, Any] = {"use_list_fen": [1_000, 1_000, 1_000], "list_price_fen": 3_000}


def bought(
    *, kind: str = "cash", quantity: int = 1, price_fen: int = 990, brand: Brand | None = None, **terms: Any
) -> list[Voucher]:
    """The vouchers of one paid and issued purchase."""
    brand = brand or factories.brand()
    purchase = paid.purchase(
        brand=brand,
        terms=factories.terms(factories.deal(brand, kind=kind), **terms),
        quantity=quantity,
        unit_price_fen=price_fen,
    )
    issue_paid(limit=10, at=NOW)
    return list(Voucher.objects.filter(source_id=purchase.pk).order_by("ordinal"))


def refund(voucher: Voucher, **other: Any) -> RefundAnswer:
    asked = {"voucher_id": voucher.pk, "customer_id": voucher.customer_id, "request_id": uuid4(), "at": LATER}
    return request_refund(**{**asked, **other})


def purchase_of(voucher: Voucher) -> Purchase:
    return Purchase.objects.get(pk=voucher.source_id)


def balances() -> dict[str, int]:
    return {account.kind: balance(account) for account in Account.objects.all() if balance(account)}


class TestByTheCustomer:
    def test_an_unused_voucher_becomes_a_refund_to_the_payment_that_bought_it(self) -> None:
        [voucher] = bought()

        answer = refund(voucher)

        sent = Refund.objects.get()
        assert answer.request.refund == sent
        assert (sent.payment, sent.purchase_id) == (Payment.objects.get(), voucher.source_id)
        assert (sent.source_kind, sent.source_id) == ("voucher", voucher.pk)
        assert (sent.amount_fen, sent.status, sent.due_at) == (990, "requested", LATER)
        voucher.refresh_from_db()
        assert (voucher.status, voucher.uses_left) == ("refunding", 0)

    def test_what_was_owed_in_drinks_is_owed_in_money(self) -> None:
        [voucher, _] = bought(quantity=2)

        answer = refund(voucher)

        transfer = LedgerTransfer.objects.get(kind="refund_unused")
        assert answer.request.refund is not None
        assert (transfer.source_kind, transfer.source_id) == ("refund", answer.request.refund.pk)
        assert balances() == {"provider_clearing": -1_980, "voucher_liability": 990, "refunds_payable": 990}

    def test_a_partly_used_card_gives_back_the_unused_uses_at_their_own_amounts(self) -> None:
        [card] = bought(kind="times_card", price_fen=2_000, **CARD)
        counter(brand=card.brand).redeem(card.code)

        answer = refund(card)

        assert answer.request.amount_fen == sum(card.use_amounts_fen[1:]) == 1_333
        assert balances() == {"provider_clearing": -2_000, "redeemed": 667, "refunds_payable": 1_333}

    def test_a_second_capture_of_the_purchase_does_not_pay_it(self) -> None:
        [voucher] = bought()
        wanted = Payment.objects.get()
        Payment.objects.create(
            purchase=purchase_of(voucher),
            customer_id=voucher.customer_id,
            provider="sandbox",
            amount_fen=990,
            status="captured",
            captured_fen=990,
            captured_at=NOW,
            created_at=NOW,
        )

        refund(voucher)

        assert Refund.objects.get().payment == wanted

    def test_it_leaves_her_trail(self) -> None:
        [voucher] = bought()

        answer = refund(voucher)

        trail = AuditEntry.objects.get(act="voucher.refund")
        assert (trail.actor_kind, trail.actor_id) == ("customer", voucher.customer_id)
        assert (trail.subject_kind, trail.subject_id) == ("refund_request", answer.request.pk)

    def test_a_repeat_finds_the_first_answer(self) -> None:
        [voucher] = bought()
        first = refund(voucher, request_id=(request_id := uuid4()))

        again = refund(voucher, request_id=request_id, at=LATER + timedelta(hours=1))

        assert (first.is_repeat, again.is_repeat) == (False, True)
        assert again.request == first.request
        assert Refund.objects.count() == 1

    def test_a_repeat_of_a_worthless_one_finds_it_too(self) -> None:
        [voucher] = bought()
        Voucher.objects.update(paid_fen=0, use_amounts_fen=[0], source_kind="grant")
        first = refund(voucher, request_id=(request_id := uuid4()))

        assert refund(voucher, request_id=request_id) == RefundAnswer(first.request, is_repeat=True)

    def test_the_same_key_for_another_voucher_is_a_conflict(self) -> None:
        one, other = bought(quantity=2)
        refund(one, request_id=(request_id := uuid4()))

        with pytest.raises(IdempotencyConflict):
            refund(other, request_id=request_id)
        assert Refund.objects.count() == 1

    def test_another_customers_voucher_is_not_found(self) -> None:
        [voucher] = bought()

        with pytest.raises(errors.VoucherNotFound):
            refund(voucher, customer_id=uuid4())
        with pytest.raises(errors.VoucherNotFound):
            refund(voucher, voucher_id=uuid4())

    def test_terms_may_refuse(self) -> None:
        [voucher] = bought(refundable_unused=False)

        with pytest.raises(errors.VoucherNotRefundable):
            refund(voucher)
        assert not RefundRequest.objects.exists()

    def test_a_second_request_for_the_same_voucher_is_refused(self) -> None:
        [voucher] = bought()
        refund(voucher)

        with pytest.raises(errors.VoucherRefunded):
            refund(voucher)

    def test_a_granted_voucher_is_given_back_at_once_and_sends_nothing(self) -> None:
        [voucher] = bought()
        Voucher.objects.update(paid_fen=0, use_amounts_fen=[0], source_kind="grant", source_id=uuid4())

        answer = refund(voucher)

        assert (answer.request.amount_fen, answer.request.refund) == (0, None)
        assert not Refund.objects.exists()
        assert not LedgerTransfer.objects.filter(kind="refund_unused").exists()
        voucher.refresh_from_db()
        assert voucher.status == "refunded"


class TestAfterExpiry:
    def expire(self) -> None:
        expire_due(limit=10, at=NOW + timedelta(days=60))

    def test_the_money_goes_back_where_the_terms_say_so(self) -> None:
        [voucher] = bought()
        self.expire()
        assert balances() == {"provider_clearing": -990, "voucher_liability": 990}

        assert refund_expired(limit=10, at=LATER) == 1

        sent = Refund.objects.get()
        assert (sent.source_kind, sent.source_id, sent.amount_fen) == ("expired_voucher", voucher.pk, 990)
        assert LedgerTransfer.objects.get(kind="refund_expired").source_id == sent.pk
        assert balances() == {"provider_clearing": -990, "refunds_payable": 990}

    def test_it_stays_where_the_terms_keep_it(self) -> None:
        bought(refunds_on_expiry=False)
        self.expire()

        assert refund_expired(limit=10, at=LATER) == 0
        assert balances() == {"provider_clearing": -990, "breakage": 990}

    def test_a_run_is_as_big_as_the_rate_allows(self) -> None:
        bought(quantity=3)
        self.expire()

        assert refund_expired(limit=2, at=LATER) == 2
        assert refund_expired(limit=2, at=LATER) == 1
        assert refund_expired(limit=2, at=LATER) == 0
        assert Refund.objects.count() == 3

    def test_a_batch_leaves_one_trail_for_each_brand(self) -> None:
        bought(quantity=2)
        bought()
        self.expire()

        refund_expired(limit=10, at=LATER)

        trail = AuditEntry.objects.filter(act="vouchers.refund_expired")
        assert sorted(trail.values_list("subject_count", flat=True)) == [1, 2]

    def test_a_card_partly_used_gets_one_refund_for_its_unused_uses(self) -> None:
        [card] = bought(kind="times_card", price_fen=2_000, **CARD)
        counter(brand=card.brand).redeem(card.code)
        self.expire()

        refund_expired(limit=10, at=LATER)

        assert Refund.objects.get().amount_fen == 1_333


class TestFinishing:
    def test_a_purchase_is_refunded_when_all_of_it_is(self) -> None:
        one, other = bought(quantity=2)
        for voucher, status in [(one, "partly_refunded"), (other, "refunded")]:
            refund(voucher)
            refund_finishing.finish(voucher_ids=[voucher.pk], at=LATER)

            assert purchase_of(voucher).status == status
        assert set(UseEnding.objects.values_list("refunded_at", flat=True)) == {LATER}

    def test_a_card_with_a_drunk_use_is_never_refunded_in_full(self) -> None:
        [card] = bought(kind="times_card", price_fen=2_000, **CARD)
        counter(brand=card.brand).redeem(card.code)
        refund(card)

        refund_finishing.finish(voucher_ids=[card.pk], at=LATER)

        assert purchase_of(card).status == "partly_refunded"

    def test_units_come_back_on_sale_where_the_terms_say_so(self) -> None:
        one, other = bought(quantity=2, refund_returns_stock=True)
        for voucher in (one, other):
            refund(voucher)

        refund_finishing.finish(voucher_ids=[one.pk], at=LATER)
        assert self.counted(one) == (1, 1, 1)

        refund_finishing.finish(voucher_ids=[one.pk, other.pk], at=LATER)
        assert self.counted(one) == (0, 0, 2)

    def test_units_stay_sold_where_the_terms_are_silent(self) -> None:
        [voucher] = bought()
        refund(voucher)

        refund_finishing.finish(voucher_ids=[voucher.pk], at=LATER)

        assert self.counted(voucher) == (1, 1, 0)

    def test_a_card_with_a_drunk_use_is_no_unit_to_sell_again(self) -> None:
        [card] = bought(kind="times_card", refund_returns_stock=True, **CARD)
        counter(brand=card.brand).redeem(card.code)
        refund(card)

        refund_finishing.finish(voucher_ids=[card.pk], at=LATER)

        assert self.counted(card) == (1, 1, 0)

    def test_what_comes_back_to_a_drained_offer_goes_to_the_deal(self) -> None:
        [voucher] = bought(refund_returns_stock=True)
        refund(voucher)
        Offer.objects.update(state="drained", closed_at=NOW, drained_at=NOW)
        free = DealStock.objects.get().free

        refund_finishing.finish(voucher_ids=[voucher.pk], at=LATER)

        assert DealStock.objects.get().free == free + 1

    def test_finishing_again_changes_nothing(self) -> None:
        [voucher] = bought(refund_returns_stock=True)
        refund(voucher)
        for _ in range(2):
            refund_finishing.finish(voucher_ids=[voucher.pk], at=LATER)

        assert self.counted(voucher) == (0, 0, 1)

    def test_a_granted_vouchers_end_touches_no_purchase(self) -> None:
        [voucher] = bought()
        Voucher.objects.update(paid_fen=0, use_amounts_fen=[0], source_kind="grant")

        refund(voucher)

        assert purchase_of(voucher).status == "issued"

    @staticmethod
    def counted(voucher: Voucher) -> tuple[int, int, int]:
        """Sold, her allowance, returned."""
        purchase = purchase_of(voucher)
        allowance = purchase.offer.allowances.get(customer_id=purchase.customer_id)
        return purchase.offer.sold, allowance.bought, purchase.returned_quantity
