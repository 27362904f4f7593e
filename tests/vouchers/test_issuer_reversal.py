"""issuer_reversal.reverse asks the platform, and frees the use when, and only when, it has undone it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from config.kernel.models import AuditEntry, OutboxMessage
from orders.models import LedgerTransfer
from tests.factories import NOW
from tests.vouchers import counters, fake_platform
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers import errors
from vouchers.issuers.interface import Certificate, UsePrice
from vouchers.models import IssuerCall, Redemption, Voucher
from vouchers.services import issuer_asking, issuer_calls, issuer_redemption, issuer_reversal
from vouchers.services.issuer_reversal import Undoing
from vouchers.services.redemption import RedeemRequest

pytestmark = pytest.mark.django_db(transaction=True)

SOON = NOW + timedelta(minutes=5)
ASKED = SOON + timedelta(seconds=6)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def platform(counter: Counter) -> Iterator[FakePlatform]:
    with fake_platform.connected(FakePlatform()) as platform:
        fake_platform.honoured_at(counter.store, platform)
        yield platform


def redeemed(counter: Counter, sold: Certificate) -> UUID:
    request = RedeemRequest(counter.store.id, counter.clerk.id, (sold.code,), None, uuid4())
    return issuer_redemption.redeem(request, at=NOW).uses[0].redemption_id


def reverse(counter: Counter, redemption_id: UUID, *, key: UUID | None = None, at: datetime = SOON) -> Undoing:
    return issuer_reversal.reverse_wherever(
        redemption_id=redemption_id, operator=counter.clerk, request_id=key or uuid4(), at=at
    )


def state(sold: Certificate) -> tuple[str, int, int]:
    voucher = Voucher.objects.get(external_id=sold.external_id)
    return voucher.status, voucher.uses_left, voucher.uses_held


def test_what_the_platform_undoes_is_free_again(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    redemption_id = redeemed(counter, sold)
    platform.clock = SOON

    undoing = reverse(counter, redemption_id)

    assert (undoing.is_decided, undoing.is_repeat) == (True, False)
    assert (undoing.redemption.reversed_at, undoing.redemption.reversed_by_id) == (SOON, counter.clerk.id)
    assert state(sold) == ("issued", 1, 0)
    assert platform.sold[sold.external_id].redeemed == []
    assert AuditEntry.objects.get(act="voucher.reverse").actor_id == counter.clerk.id
    assert OutboxMessage.objects.filter(topic="vouchers.reversed").count() == 1
    again = redeemed(counter, sold)
    assert again != redemption_id


def test_what_the_platform_owes_goes_with_it(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell(UsePrice(customer_fen=1_500, platform_fen=300, merchant_fen=200))
    reverse(counter, redeemed(counter, sold))

    transfers = LedgerTransfer.objects.order_by("id").values_list("kind", "amount_fen", "debit__owner", "credit__owner")
    assert list(transfers) == [
        ("platform_redemption", 1_500, "douyin", ""),
        ("platform_subsidy", 300, "douyin", ""),
        ("platform_reversal", 1_500, "", "douyin"),
        ("platform_subsidy_back", 300, "", "douyin"),
    ]


def test_a_repeat_gets_the_same_undo_and_calls_nobody(counter: Counter, platform: FakePlatform) -> None:
    redemption_id, key = redeemed(counter, platform.sell()), uuid4()
    reverse(counter, redemption_id, key=key)

    again = reverse(counter, redemption_id, key=key, at=NOW + timedelta(days=3))

    assert again.is_repeat
    assert platform.heard.count("cancel") == 1
    with pytest.raises(errors.RedemptionAlreadyReversed):
        reverse(counter, redemption_id)


def test_the_platform_may_refuse_before_its_window_is_over(counter: Counter, platform: FakePlatform) -> None:
    """As a developer met it: refused after three minutes, though the rule says an hour."""
    sold = platform.sell()
    redemption_id, key = redeemed(counter, sold), uuid4()
    platform.refuses = ("2034000910", "已超过可撤销时限")

    for _ in range(2):
        with pytest.raises(errors.RefusedByIssuer) as refusal:
            reverse(counter, redemption_id, key=key)

    assert refusal.value.details["reason_code"] == "2034000910"
    assert platform.heard.count("cancel") == 1
    assert state(sold) == ("used", 0, 0)
    platform.refuses = None
    assert reverse(counter, redemption_id).is_decided, "another request asks again"


def test_after_the_platforms_window_nobody_is_asked(counter: Counter, platform: FakePlatform) -> None:
    redemption_id = redeemed(counter, platform.sell())

    with pytest.raises(errors.ReversalWindowOver):
        reverse(counter, redemption_id, at=NOW + timedelta(hours=1))

    assert "cancel" not in platform.heard


@pytest.mark.parametrize("lost", ["lose_requests", "lose_answers"])
def test_until_the_platform_has_answered_nothing_changes(counter: Counter, platform: FakePlatform, lost: str) -> None:
    sold = platform.sell()
    redemption_id = redeemed(counter, sold)
    setattr(platform, lost, 1)

    undoing = reverse(counter, redemption_id)

    assert (undoing.is_decided, undoing.redemption.reversed_at) == (False, None)
    assert state(sold) == ("used", 0, 0)
    with pytest.raises(errors.ReversalUndecided):
        reverse(counter, redemption_id)
    assert issuer_asking.ask_due(limit=9, at=ASKED) == 1
    assert state(sold) == ("issued", 1, 0)
    assert platform.heard.count("cancel") == (2 if lost == "lose_requests" else 1)
    assert list(platform.cancels) == [IssuerCall.objects.get(kind="cancel").public_id]


def test_a_crash_between_the_transactions_is_picked_up(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = platform.sell()
    redemption_id = redeemed(counter, sold)

    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(issuer_calls, "apply", crash)
        with pytest.raises(SystemExit):
            reverse(counter, redemption_id)

    assert issuer_asking.ask_due(limit=9, at=ASKED) == 1
    assert state(sold) == ("issued", 1, 0)
    assert platform.heard.count("cancel") == 1


def test_an_undo_learned_of_late_was_made_in_its_window(counter: Counter, platform: FakePlatform) -> None:
    redemption_id = redeemed(counter, platform.sell())
    platform.lose_answers = 1
    platform.clock = NOW + timedelta(hours=1, seconds=2)  # its clock runs ahead of what it had said
    reverse(counter, redemption_id)

    issuer_asking.ask_due(limit=9, at=NOW + timedelta(hours=3))

    redemption = Redemption.objects.get(pk=redemption_id)
    assert redemption.reversed_at is not None
    assert redemption.reversible_until is not None
    assert redemption.reversed_at < redemption.reversible_until


def test_where_an_undo_voids_the_voucher_its_uses_end(counter: Counter, platform: FakePlatform) -> None:
    """One platform sends her a new code by message; the old voucher is dead."""
    platform.cancels_void = True
    sold = platform.sell()

    reverse(counter, redeemed(counter, sold))

    assert state(sold) == ("refunded", 0, 0)
    with pytest.raises(errors.VoucherRefunded):
        redeemed(counter, sold)


def test_our_own_redemptions_are_undone_as_ever(counter: Counter, platform: FakePlatform) -> None:
    voucher = counter.voucher()
    use = counter.redeem(voucher.code).uses[0]

    undoing = reverse(counter, use.redemption_id)

    assert (undoing.is_decided, undoing.is_repeat) == (True, False)
    assert not platform.heard


def test_nobody_undoes_where_she_may_not_redeem(counter: Counter, platform: FakePlatform) -> None:
    redemption_id = redeemed(counter, platform.sell())

    with pytest.raises(errors.RedemptionNotFound):
        reverse(counters.counter(), redemption_id)
