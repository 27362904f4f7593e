"""Money and its purchase meeting at the same moment: captures, closings, repetitions, several workers."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection

from orders.errors import PurchaseNoLongerPayable
from orders.models import LedgerTransfer, Payment, PaymentNotice, Purchase, Refund
from orders.services import captures, inbox, notices, refund_sending, unpaid
from orders.services.notices import apply_notices, store_notices
from orders.services.payments import new_attempt
from orders.services.unpaid import Swept, close_unpaid
from tests.factories import NOW
from tests.orders import buying
from tests.orders.buying import an_offer, buy, captured, tell
from tests.orders.conftest import provider as provider
from tests.orders.fake_provider import FakeProvider
from tests.patience import LIMIT_SECONDS
from tests.races.at_once import GATE, Meeting, at_once, at_once_through_the_gate, meet_before
from vouchers.models import CustomerAllowance, Offer
from vouchers.services import offer_counters

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

LATER = NOW + timedelta(hours=1)
LOCK = "FOR NO KEY UPDATE"


def without_lock(monkeypatch: pytest.MonkeyPatch, module: Any, statement: str, lock: str = LOCK) -> None:
    locking: str = getattr(module, statement)
    assert lock in locking
    monkeypatch.setattr(module, statement, locking.replace(lock, ""))


def apply_one() -> int:
    return apply_notices(limit=1, at=LATER)


def another(payment: Payment) -> Payment:
    return new_attempt(
        purchase_id=payment.purchase_id,
        customer_id=payment.customer_id,
        provider="sandbox",
        request_id=uuid4(),
        at=NOW,
    ).payment


def outcomes() -> list[str | None]:
    return sorted(PaymentNotice.objects.values_list("outcome", flat=True), key=str)


class TestPayAndClose:
    """The customer pays while the sweep gives up, at a provider that takes the money though it was told not to."""

    @pytest.fixture
    def payment(self, provider: FakeProvider) -> Payment:
        payment = buy(an_offer())
        store_notices([captured(payment)], at=NOW)
        return payment

    @staticmethod
    def first_looks_then_waits(
        monkeypatch: pytest.MonkeyPatch, first: tuple[Any, str], second: tuple[Any, str]
    ) -> Callable[[], None]:
        """``first`` has looked and writes when ``second`` is done or waits for it; ``second`` begins after the look."""
        has_looked, meeting = threading.Event(), Meeting()
        (first_module, first_write), (second_module, second_act) = first, second
        write, act = getattr(first_module, first_write), getattr(second_module, second_act)

        def write_later(*args: Any, **named: Any) -> Any:
            has_looked.set()
            meeting.come()
            return write(*args, **named)

        def act_after(*args: Any, **named: Any) -> Any:
            assert has_looked.wait(LIMIT_SECONDS)
            return act(*args, **named)

        monkeypatch.setattr(first_module, first_write, write_later)
        monkeypatch.setattr(second_module, second_act, act_after)

    def capture_looks_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first_looks_then_waits(monkeypatch, (captures._Batch, "write"), (unpaid, "_close"))
        # The sweep skips what is locked: it has claimed the purchase before the capture takes its lock.
        has_claimed = threading.Event()
        ask, apply = unpaid.ask_and_close, notices._apply

        def ask_claimed(*args: Any, **named: Any) -> Any:
            has_claimed.set()
            return ask(*args, **named)

        def apply_after(*args: Any, **named: Any) -> Any:
            assert has_claimed.wait(LIMIT_SECONDS)
            return apply(*args, **named)

        monkeypatch.setattr(unpaid, "ask_and_close", ask_claimed)
        monkeypatch.setattr(notices, "_apply", apply_after)

    def closing_looks_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first_looks_then_waits(monkeypatch, (unpaid, "Counter"), (notices, "_apply"))

    @staticmethod
    def run() -> list[Any]:
        return at_once(apply_one, lambda: close_unpaid(limit=10, at=LATER))

    def test_the_capture_that_locks_first_wins_and_nothing_comes_back(
        self, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.capture_looks_first(monkeypatch)

        assert self.run() == [1, Swept(closed=0, captured=0, left=1)]

        assert Purchase.objects.get().status == "paid"
        assert Offer.objects.get().sold == CustomerAllowance.objects.get().bought == 1

    def test_control_without_the_captures_lock_a_unit_is_paid_and_back_on_sale(
        self, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, captures, "LOCK_PURCHASES")
        self.capture_looks_first(monkeypatch)

        assert self.run() == [1, Swept(closed=1, captured=0, left=0)]

        assert Purchase.objects.get().status == "paid"
        assert Offer.objects.get().sold == 0, "sold again to somebody else"

    def test_the_closing_that_locks_first_wins_and_the_capture_comes_late(
        self, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.closing_looks_first(monkeypatch)

        assert self.run() == [1, Swept(closed=1, captured=0, left=0)]

        purchase = Purchase.objects.get()
        assert (purchase.status, purchase.closed_at) == ("paid", LATER), "closed, then paid late"
        assert Offer.objects.get().sold == CustomerAllowance.objects.get().bought == 1

    def test_control_without_the_closings_lock_the_database_stops_it(
        self, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, unpaid, "LOCK_UNPAID")
        self.closing_looks_first(monkeypatch)

        applied, lost = self.run()

        assert applied == 1
        assert isinstance(lost, IntegrityError)
        assert "purchase_status_agrees_with_its_times" in str(lost)

    def test_a_new_attempt_while_the_sweep_closes_is_refused(
        self, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = buy(an_offer())
        self.first_looks_then_waits(monkeypatch, (unpaid, "Counter"), (self, "attempt"))

        swept, refused = at_once(lambda: close_unpaid(limit=10, at=LATER), lambda: self.attempt(payment))

        assert swept == Swept(closed=1, captured=0, left=0)
        assert isinstance(refused, PurchaseNoLongerPayable)
        assert not Payment.objects.exclude(status="closed").exists()

    def test_control_without_the_closings_lock_an_attempt_stays_open(
        self, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = buy(an_offer())
        without_lock(monkeypatch, unpaid, "LOCK_UNPAID")
        self.first_looks_then_waits(monkeypatch, (unpaid, "Counter"), (self, "attempt"))

        at_once(lambda: close_unpaid(limit=10, at=LATER), lambda: self.attempt(payment))

        assert Payment.objects.count() == 2
        assert Payment.objects.exclude(pk=payment.pk).get().status == "closed", "nobody has asked its provider"

    def attempt(self, payment: Payment) -> Payment:
        return another(payment)


class TestSecondCapture:
    @pytest.fixture
    def both(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Payment, Payment]:
        """Two payments of one purchase, captured, each about to be applied by a worker of its own."""
        first = buy(an_offer())
        second = another(first)
        store_notices([captured(first), captured(second)], at=NOW)
        meet_before(monkeypatch, captures._Batch, "decide")
        return first, second

    @pytest.mark.usefixtures("both")
    def test_one_pays_and_the_other_goes_back(self) -> None:
        assert at_once(apply_one, apply_one) == [1, 1]

        assert outcomes() == ["applied", "refunded"]
        assert Refund.objects.count() == LedgerTransfer.objects.filter(kind="capture").count() == 1

    @pytest.mark.usefixtures("both")
    def test_control_without_the_purchases_lock_both_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        without_lock(monkeypatch, captures, "LOCK_PURCHASES")

        assert at_once(apply_one, apply_one) == [1, 1]

        assert outcomes() == ["applied", "applied"]
        assert not Refund.objects.exists(), "the customer paid twice and nobody gives it back"


class TestLatePayments:
    @pytest.fixture
    def late(self, monkeypatch: pytest.MonkeyPatch) -> Offer:
        """Two closed purchases of the one unit there is, both paid after all."""
        offer = an_offer(allotment=1)
        for _ in range(2):
            payment = buy(offer)
            buying.close(payment)
            store_notices([captured(payment)], at=NOW)
        meet_before(monkeypatch, offer_counters, "send_move")
        return offer

    @pytest.mark.usefixtures("late")
    def test_the_last_unit_is_retaken_once_and_the_other_money_goes_back(self) -> None:
        assert at_once(apply_one, apply_one) == [1, 1]

        assert outcomes() == ["applied", "refunded"]
        assert sorted(Purchase.objects.values_list("status", flat=True)) == ["closed", "paid"]
        assert Offer.objects.get().sold == 1

    @pytest.mark.usefixtures("late")
    def test_control_without_the_offers_lock_both_take_it_and_the_counter_stops_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, offer_counters, "LOCK_OFFERS", "FOR NO KEY UPDATE OF o")

        answers = at_once(apply_one, apply_one)

        assert sorted(map(str, answers)) == ["1", "the offer is locked and was looked at"]


class TestDuplicates:
    @pytest.fixture
    def _gate_after_the_first_row(self) -> Iterator[None]:
        """Everybody has stored a row, or waits for somebody who has, before anybody stores a second one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF current_setting('tests.has_a_row', true) = 'yes' THEN PERFORM ({GATE}); END IF; "
                "PERFORM set_config('tests.has_a_row', 'yes', true); RETURN NEW; END $$; "
                "CREATE TRIGGER gate BEFORE INSERT ON orders_paymentnotice FOR EACH ROW EXECUTE FUNCTION gate()"
            )
        yield
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER gate ON orders_paymentnotice; DROP FUNCTION gate()")

    @pytest.fixture
    def copies(self) -> list[Callable[[], int]]:
        """One notice of four events, told eight times at once, every other time backwards."""
        events = [captured(buy(an_offer())) for _ in range(4)]
        return [lambda told=told: store_notices(told, at=NOW) for told in (events, events[::-1]) * 4]  # type: ignore[misc]

    @pytest.mark.usefixtures("_gate_after_the_first_row")
    def test_eight_copies_at_once_are_stored_once(self, copies: list[Callable[[], int]]) -> None:
        answers = at_once_through_the_gate(*copies)

        assert sum(answers) == PaymentNotice.objects.count() == 4

    @pytest.mark.usefixtures("_gate_after_the_first_row")
    def test_control_without_the_order_they_wait_for_each_other_in_a_circle(
        self, copies: list[Callable[[], int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, notices, "STORE", "ORDER BY e.provider, e.event_id")

        answers = at_once_through_the_gate(*copies[:2])

        assert any(isinstance(answer, OperationalError) and "deadlock" in str(answer) for answer in answers)

    @pytest.mark.usefixtures("_gate_after_the_first_row")
    def test_control_without_the_conflict_clause_copies_are_refused(
        self, copies: list[Callable[[], int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, notices, "STORE", "ON CONFLICT (provider, provider_event_id) DO NOTHING")

        answers = at_once_through_the_gate(*copies)

        assert any(isinstance(answer, IntegrityError) for answer in answers)

    @pytest.fixture
    def _one_capture_under_eight_events(self, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = buy(an_offer())
        store_notices([captured(payment, provider_reference="sbx_1") for _ in range(8)], at=NOW)
        meet_before(monkeypatch, captures._Batch, "decide")

    @pytest.mark.usefixtures("_one_capture_under_eight_events")
    def test_eight_workers_with_the_same_capture_apply_it_once(self) -> None:
        assert at_once(*[apply_one] * 8) == [1] * 8

        assert outcomes() == ["applied", *["repeated"] * 7]
        assert LedgerTransfer.objects.count() == 1

    @pytest.mark.usefixtures("_one_capture_under_eight_events")
    def test_control_without_the_purchases_lock_all_post_it_and_the_ledger_stops_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, captures, "LOCK_PURCHASES")

        answers = at_once(*[apply_one] * 8)

        lost = [answer for answer in answers if answer != 1]
        assert len(lost) == 7
        assert all(isinstance(answer, IntegrityError) and "transfer_is_posted_once" in str(answer) for answer in lost)


class TestWorkers:
    @pytest.fixture
    def _twenty_captures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        offer = an_offer()
        store_notices([captured(buy(offer)) for _ in range(20)], at=NOW)
        meet_before(monkeypatch, captures, "apply")

    @staticmethod
    def apply_ten() -> int:
        return apply_notices(limit=10, at=LATER)

    @pytest.mark.usefixtures("_twenty_captures")
    def test_two_workers_share_the_inbox(self) -> None:
        assert at_once(self.apply_ten, self.apply_ten) == [10, 10]

        assert outcomes() == ["applied"] * 20

    @pytest.mark.usefixtures("_twenty_captures")
    def test_control_without_the_claim_both_take_the_same_notices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        without_lock(monkeypatch, inbox, "CLAIM", "FOR NO KEY UPDATE SKIP LOCKED")

        answers = at_once(self.apply_ten, self.apply_ten)

        # The purchases' locks make the second find all of it repeated, and then the inbox is written once.
        assert sorted(isinstance(answer, IntegrityError) for answer in answers) == [False, True]
        assert outcomes() == [None] * 10 + ["applied"] * 10

    @pytest.fixture
    def refund(self, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Refund:
        payment = buy(an_offer())
        provider.pay(payment)
        tell(captured(payment, amount_fen=1))
        meet_before(monkeypatch, refund_sending.audit, "record")
        return Refund.objects.get()

    @staticmethod
    def send() -> int:
        return refund_sending.send_refunds(limit=10, at=NOW)

    def test_two_senders_order_a_refund_once(self, provider: FakeProvider, refund: Refund) -> None:
        assert sorted(at_once(self.send, self.send)) == [0, 1]

        refund.refresh_from_db()
        assert (provider.calls, refund.attempts) == (["refund"], 1)

    def test_control_without_the_claim_both_order_it_and_the_provider_knows_better(
        self, provider: FakeProvider, refund: Refund, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_lock(monkeypatch, refund_sending, "DUE", "FOR NO KEY UPDATE SKIP LOCKED")

        at_once(self.send, self.send)

        refund.refresh_from_db()
        assert (provider.calls, refund.attempts) == (["refund", "refund"], 2)
        assert len(provider.book.refunds) == 1
