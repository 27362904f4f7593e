"""Whatever happens in whatever order, no fen and no use is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.kernel.errors import DomainError
from orders.invariants import auditing, slices
from orders.models import Account, Refund
from orders.services.folding import fold_transfers
from orders.services.issuing import issue_paid
from orders.services.ledger import balance
from orders.services.refunds import refund_expired, request_refund
from orders.services.settling import settle_uses
from tests import factories
from tests.factories import NOW
from tests.orders import paid, settled, world
from tests.vouchers import counters
from vouchers.models import Offer, Redemption, Voucher
from vouchers.services.expiry import expire_due
from vouchers.services.reversal import reverse
from vouchers.settlement import Fault

pytestmark = pytest.mark.django_db

CARD: dict[str, Any] = {"use_list_fen": [1_000, 900, 1_100], "list_price_fen": 3_000}
CASH: dict[str, Any] = {}
TERMS = [
    ("cash", {"settlement_rules": [{"share_bps": 9_000, "fee_bps": 200, "promoter_by": "brand"}]}, 990),
    ("cash", {"refunds_on_expiry": False}, 1),
    ("cash", {"refundable_unused": False, "refund_returns_stock": True}, 1_234),
    ("times_card", {**CARD, "refund_returns_stock": True, "settlement_rules": [{"per_use_fen": 900}]}, 2_000),
    ("times_card", {**CARD, "refunds_on_expiry": False}, 2),
]


@dataclass
class Trade:
    """A brand with a counter; every act takes a number to choose by, and does nothing where there is nothing."""

    now: datetime = NOW
    counter: counters.Counter = field(default_factory=counters.counter)
    offers: list[Offer] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    promoter_id: UUID | None = None

    def __post_init__(self) -> None:
        self.promoter_id = factories.promoter(self.counter.brand).pk
        self.offers = [
            factories.offer(
                factories.terms(factories.deal(self.counter.brand, kind=kind), usable_days=2, **terms),
                price_fen=price_fen,
            )
            for kind, terms, price_fen in TERMS
        ]

    def buy(self, n: int) -> None:
        offer = self.offers[n % len(self.offers)]
        offer.refresh_from_db()
        paid.purchase(
            offer=offer,
            quantity=1 + n % 3,
            unit_price_fen=offer.price_fen,
            accepted_at=self.now,
            promoter_id=self.promoter_id if n % 2 else None,
            promoter_rate_bps=800 if n % 2 else 0,
            provider_rate_bps=150 if n % 2 else 0,
        )

    def issue(self, n: int) -> None:
        issue_paid(limit=1 + n, at=self.now)

    def redeem(self, n: int) -> None:
        voucher = _choose(list(Voucher.objects.order_by("id")), n)
        self.counter.redeem(voucher.code, at=self.now)

    def undo(self, n: int) -> None:
        redemption = _choose(list(Redemption.objects.order_by("id")), n)
        reverse(redemption_id=redemption.pk, operator=self.counter.clerk, request_id=uuid4(), at=self.now)

    def refund(self, n: int) -> None:
        voucher = _choose(list(Voucher.objects.order_by("id")), n)
        request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=self.now)

    def pay_out(self, n: int) -> None:
        open_refunds = Refund.objects.exclude(status="succeeded").order_by("id")
        world.pay_out(_choose(list(open_refunds), n), at=self.now)

    def wait(self, n: int) -> None:
        self.now += timedelta(hours=2 * n)

    def expire(self, n: int) -> None:
        expire_due(limit=1 + n, at=self.now)

    def refund_expired(self, n: int) -> None:
        refund_expired(limit=1 + n, at=self.now)

    def settle(self, n: int) -> None:
        settle_uses(limit=1 + n, at=self.now)

    def refund_after_use(self, n: int) -> None:
        redemption = _choose(list(Redemption.objects.order_by("id")), n)
        settled.refunded(redemption, 1 + 7 * n, fault=[*Fault][n % 3], at=self.now)

    def fold(self, n: int) -> None:
        fold_transfers(limit=1 + n, at=self.now)


class _NothingThere(Exception):
    pass


def _choose(things: list[Any], n: int) -> Any:
    if not things:
        raise _NothingThere
    return things[n % len(things)]


ACTS: dict[str, Callable[[Trade, int], None]] = {
    "buy": Trade.buy,
    "issue": Trade.issue,
    "redeem": Trade.redeem,
    "undo": Trade.undo,
    "refund": Trade.refund,
    "pay_out": Trade.pay_out,
    "wait": Trade.wait,
    "expire": Trade.expire,
    "refund_expired": Trade.refund_expired,
    "settle": Trade.settle,
    "refund_after_use": Trade.refund_after_use,
    "fold": Trade.fold,
}
# What needs something before it comes oftener; a card lives three days at most.
ACT = st.tuples(
    st.sampled_from(
        [
            *ACTS,
            "buy",
            "issue",
            "redeem",
            "redeem",
            "undo",
            "refund",
            "refund",
            "pay_out",
            "expire",
            "settle",
            "refund_after_use",
        ]
    ),
    st.integers(0, 60),
)


def play(acts: list[tuple[str, int]]) -> Trade:
    trade = Trade()
    trade.buy(3)
    trade.issue(0)
    for name, n in acts:
        savepoint = transaction.savepoint()
        try:
            ACTS[name](trade, n)
            trade.done.add(name)
        except (DomainError, _NothingThere):
            transaction.savepoint_rollback(savepoint)
    world.leave_trail_of_captures()
    return trade


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACT, min_size=20, max_size=50))
def test_any_order_of_acts_leaves_books_that_agree(acts: list[tuple[str, int]]) -> None:
    savepoint = transaction.savepoint()
    try:
        play(acts)

        broken = {rule: result.first[rule] for result in auditing.look(slices.whole()) for rule in result.broken}
        assert broken == {}
        assert sum(balance(account) for account in Account.objects.all()) == 0
    finally:
        transaction.savepoint_rollback(savepoint)


def test_every_act_takes_part() -> None:
    """The sequences above would prove little if an act could never succeed."""
    trade = play(
        [
            ("redeem", 0),
            ("undo", 0),
            ("refund", 0),
            ("pay_out", 0),
            ("buy", 0),
            ("issue", 9),
            ("wait", 60),
            ("wait", 60),
            ("expire", 9),
            ("refund_expired", 9),
            ("fold", 9),
            ("buy", 3),
            ("issue", 9),
            ("redeem", 2),
            ("wait", 1),
            ("settle", 9),
            ("refund_after_use", 1),
        ]
    )

    assert trade.done == ACTS.keys()
    assert auditing.violations(auditing.look(slices.whole())) == 0


def test_an_undo_after_expiry_gives_a_day_of_grace_and_then_the_terms_decide() -> None:
    """The other uses of the card have expired and are breakage; the undone one is owed until its grace ends."""
    trade = Trade()
    trade.buy(4)
    trade.issue(9)
    card = Voucher.objects.order_by("id")[0]
    Voucher.objects.exclude(pk=card.pk).update(valid_until=NOW + timedelta(days=90))
    trade.now = card.valid_until - timedelta(minutes=10)
    trade.counter.redeem(card.code, at=trade.now)
    trade.now = card.valid_until
    trade.expire(0)
    kept = sum(card.use_amounts_fen[1:])
    assert breakage(trade) == kept

    trade.undo(0)
    assert breakage(trade) == kept, "the undone use is owed again"
    card.refresh_from_db()
    assert (card.status, card.uses_left, card.valid_until) == ("issued", 1, trade.now + timedelta(hours=24))

    trade.wait(12)
    trade.expire(0)
    assert breakage(trade) == card.paid_fen
    world.leave_trail_of_captures()
    assert auditing.violations(auditing.look(slices.whole())) == 0


def breakage(trade: Trade) -> int:
    return sum(balance(account) for account in Account.objects.filter(brand=trade.counter.brand, kind="breakage"))
