"""issuer_redemption.redeem holds the uses, lets the platform decide, and writes down what it said, once."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry, OutboxMessage
from tests.factories import NOW
from tests.vouchers import counters, fake_platform
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers import errors
from vouchers.issuers import registry
from vouchers.issuers.interface import Certificate, UsePrice
from vouchers.models import Hold, IssuerCall, IssuerStore, Redemption, RedemptionRequest, Voucher
from vouchers.queries.issuer_requests import RequestState
from vouchers.services import expiry, issuer_asking, issuer_calls, issuer_import, issuer_redemption
from vouchers.services.redemption import RedeemRequest

# The platform is called between two transactions, so no test may wrap them in one of its own.
pytestmark = pytest.mark.django_db(transaction=True)

SOON = NOW + timedelta(seconds=6)
CARD = (UsePrice(1_000, 100), UsePrice(600, 60), UsePrice(400, 40))


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def platform(counter: Counter) -> Iterator[FakePlatform]:
    with fake_platform.connected(FakePlatform()) as platform:
        fake_platform.honoured_at(counter.store, platform)
        yield platform


def redeem(counter: Counter, *codes: str, key: UUID | None = None, at: datetime = NOW, **fields: Any) -> RequestState:
    request = RedeemRequest(counter.store.id, counter.clerk.id, codes, fields.get("bill_fen"), key or uuid4())
    return issuer_redemption.redeem(request, at=at)


def voucher_of(certificate: Certificate) -> Voucher:
    return Voucher.objects.get(external_id=certificate.external_id)


def state(certificate: Certificate) -> tuple[str, int, int]:
    voucher = voucher_of(certificate)
    return voucher.status, voucher.uses_left, voucher.uses_held


# --- DONE -------------------------------------------------------------------------------------------


def test_a_done_redemption_is_ours_too(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()

    done = redeem(counter, sold.code)

    assert (done.outcome, done.issuer, done.held_uses, done.is_repeat) == ("done", "douyin", 0, False)
    redemption = Redemption.objects.select_related("request", "at_issuer").get()
    assert (redemption.amount_fen, redemption.store_id, redemption.entity_id) == (
        1_800,
        counter.store.id,
        counter.entity.id,
    )
    assert redemption.reversible_until == NOW + timedelta(hours=1), "the platform says until when"
    assert [redemption.at_issuer.external_id] == platform.sold[sold.external_id].redeemed
    assert (redemption.request.outcome, redemption.request.operator_id) == ("done", counter.clerk.id)
    assert state(sold) == ("used", 0, 0)
    assert AuditEntry.objects.get(act="voucher.redeem").actor_id == counter.clerk.id
    assert OutboxMessage.objects.filter(topic="vouchers.redeemed").count() == 1


def test_several_uses_of_a_card_are_worth_their_own_amounts(counter: Counter, platform: FakePlatform) -> None:
    card = platform.sell(*CARD)

    done = redeem(counter, card.code, card.code)

    assert [(use.serial, use.amount_fen) for use in done.uses] == [(1, 1_100), (2, 660)]
    assert state(card) == ("issued", 1, 0)


def test_a_redemption_belongs_to_the_business_day_on_which_the_platform_did_it(
    counter: Counter, platform: FakePlatform
) -> None:
    platform.holds_for_risk = True
    sold = platform.sell()
    redeem(counter, sold.code)
    platform.clock = NOW + timedelta(hours=2)
    platform.decide(allow=True)

    issuer_asking.ask_due(limit=9, at=NOW + timedelta(days=1))

    redemption = Redemption.objects.get()
    assert (redemption.redeemed_at, redemption.business_date) == (NOW + timedelta(hours=2), NOW.date())


def test_a_repeat_gets_the_first_answer_and_calls_nobody(counter: Counter, platform: FakePlatform) -> None:
    sold, key = platform.sell(), uuid4()
    first = redeem(counter, sold.code, key=key)
    heard = list(platform.heard)

    again = redeem(counter, sold.code, key=key, at=NOW + timedelta(days=2))

    assert (again.request_id, again.uses, again.is_repeat) == (first.request_id, first.uses, True)
    assert platform.heard == heard


def test_the_same_key_with_another_code_is_a_conflict(counter: Counter, platform: FakePlatform) -> None:
    one, other, key = platform.sell(), platform.sell(), uuid4()
    redeem(counter, one.code, key=key)

    with pytest.raises(IdempotencyConflict):
        redeem(counter, other.code, key=key)


def test_our_own_voucher_finds_the_key_taken(counter: Counter, platform: FakePlatform) -> None:
    platform.holds_for_risk = True
    key = uuid4()
    redeem(counter, platform.sell().code, key=key)

    with pytest.raises(IdempotencyConflict):
        counter.redeem(counter.voucher().code, request_id=key)


# --- REFUSED ----------------------------------------------------------------------------------------


def test_a_refusal_gives_the_uses_back_and_says_why(counter: Counter, platform: FakePlatform) -> None:
    sold, key = platform.sell(), uuid4()
    platform.refuses = ("3000002", "所选门店不在商品适用门店内")

    for _ in range(2):
        with pytest.raises(errors.RefusedByIssuer) as refusal:
            redeem(counter, sold.code, key=key)

    assert refusal.value.details["reason_code"] == "3000002"
    assert refusal.value.message("zh") == "douyin 拒绝：所选门店不在商品适用门店内"
    assert RedemptionRequest.objects.get().outcome == "refused"
    assert state(sold) == ("issued", 1, 0)
    assert Hold.objects.get().outcome == "released"
    assert not Redemption.objects.exists()
    assert platform.heard.count("redeem") == 1


def test_after_a_refusal_another_request_may_succeed(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    platform.refuses = ("2119006", "转赠中")
    with pytest.raises(errors.RefusedByIssuer):
        redeem(counter, sold.code)
    platform.refuses = None

    assert redeem(counter, sold.code).outcome == "done"


def test_what_was_used_elsewhere_is_refused_by_the_platform(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    platform.sold[sold.external_id].redeemed.append("elsewhere")

    with pytest.raises(errors.RefusedByIssuer):
        redeem(counter, sold.code)

    assert not Redemption.objects.exists()


# --- PENDING ----------------------------------------------------------------------------------------


def test_a_risk_hold_keeps_the_uses_and_writes_no_redemption(counter: Counter, platform: FakePlatform) -> None:
    platform.holds_for_risk = True
    card = platform.sell(*CARD)

    waiting = redeem(counter, card.code, card.code)

    assert (waiting.outcome, waiting.held_uses, waiting.uses) == ("pending", 2, ())
    assert state(card) == ("held", 3, 2)
    assert set(Hold.objects.values_list("expires_at", flat=True)) == {None}
    assert not Redemption.objects.exists()


@pytest.mark.parametrize(("allow", "outcome", "left"), [(True, "done", 0), (False, "refused", 1)])
def test_the_risk_desk_decides_within_48_hours(
    counter: Counter, platform: FakePlatform, allow: bool, outcome: str, left: int
) -> None:
    platform.holds_for_risk = True
    sold = platform.sell()
    request_id = redeem(counter, sold.code).request_id
    assert issuer_asking.ask_due(limit=9, at=NOW + timedelta(hours=5)) == 0
    platform.decide(allow=allow)

    assert issuer_asking.ask_due(limit=9, at=NOW + timedelta(hours=47)) == 1

    assert RedemptionRequest.objects.get(pk=request_id).outcome == outcome
    assert voucher_of(sold).uses_left == left
    assert Redemption.objects.count() == (outcome == "done")


def test_a_second_scan_hears_which_request_holds_it(counter: Counter, platform: FakePlatform) -> None:
    platform.holds_for_risk = True
    sold = platform.sell()
    waiting = redeem(counter, sold.code)

    with pytest.raises(errors.VoucherHeld) as refusal:
        redeem(counter, sold.code)

    assert refusal.value.details["held_by"] == "redemption_request"
    assert refusal.value.details["request"] == waiting.public_id
    assert platform.heard.count("redeem") == 1


def test_what_waits_does_not_expire(counter: Counter, platform: FakePlatform) -> None:
    platform.holds_for_risk = True
    sold = platform.sell(valid_until=NOW + timedelta(hours=1))
    redeem(counter, sold.code)

    assert expiry.expire_due(limit=9, at=NOW + timedelta(days=1)) == 0


def test_people_are_called_when_48_hours_are_over(counter: Counter, platform: FakePlatform) -> None:
    platform.holds_for_risk = True
    redeem(counter, platform.sell().code)

    for hours in (1, 47, 48, 49, 50):
        issuer_asking.ask_due(limit=9, at=NOW + timedelta(hours=hours))

    assert AuditEntry.objects.filter(act="issuer.undecided").count() == 1


# --- UNKNOWN ----------------------------------------------------------------------------------------


def test_a_lost_answer_is_asked_for_and_not_said_again(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    redeem_it_and_lose_the_answer(counter, platform, sold)
    assert state(sold) == ("held", 1, 1)

    assert issuer_asking.ask_due(limit=9, at=SOON) == 1

    assert platform.heard.count("redeem") == 1
    assert state(sold) == ("used", 0, 0)
    assert len(platform.sold[sold.external_id].redeemed) == Redemption.objects.count() == 1


def redeem_it_and_lose_the_answer(counter: Counter, platform: FakePlatform, sold: Certificate) -> RequestState:
    counter_looks_it_up(counter, platform, sold)
    platform.lose_answers = 1
    unknown = redeem(counter, sold.code)
    assert unknown.outcome == "unknown"
    return unknown


def counter_looks_it_up(counter: Counter, platform: FakePlatform, sold: Certificate) -> None:
    """So that what is lost next is not the question whose code it is."""

    issuer_import.look_up(brand_id=counter.brand.id, store_id=counter.store.id, text=sold.code, at=NOW)


def test_a_lost_request_is_said_again_with_the_same_reference(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    counter_looks_it_up(counter, platform, sold)
    platform.lose_requests = 1
    assert redeem(counter, sold.code).outcome == "unknown"

    assert issuer_asking.ask_due(limit=9, at=SOON) == 1

    assert platform.heard[-2:] == ["ask_redeem", "redeem"]
    assert list(platform.orders) == [IssuerCall.objects.get().public_id]
    assert state(sold) == ("used", 0, 0)


def test_a_crash_after_the_first_transaction_is_picked_up(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = platform.sell()
    with monkeypatch.context() as broken:
        broken.setattr(issuer_calls, "say", crash)
        with pytest.raises(SystemExit):
            redeem(counter, sold.code)
    assert state(sold) == ("held", 1, 1)
    assert RedemptionRequest.objects.get().outcome == "unknown"

    assert issuer_asking.ask_due(limit=9, at=NOW + timedelta(seconds=4)) == 0, "not before it could have answered"
    assert issuer_asking.ask_due(limit=9, at=SOON) == 1

    assert state(sold) == ("used", 0, 0)


def test_a_crash_before_the_second_transaction_has_one_effect(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = platform.sell()
    with monkeypatch.context() as broken:
        broken.setattr(issuer_calls, "apply", crash)
        with pytest.raises(SystemExit):
            redeem(counter, sold.code)
    assert len(platform.sold[sold.external_id].redeemed) == 1

    assert issuer_asking.ask_due(limit=9, at=SOON) == 1

    assert platform.heard.count("redeem") == 1
    assert len(platform.sold[sold.external_id].redeemed) == Redemption.objects.count() == 1


def crash(*_: object, **__: object) -> None:
    raise SystemExit("the process is gone")


def test_a_sweeper_that_dies_after_asking_leaves_the_call_to_the_next(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = platform.sell()
    redeem_it_and_lose_the_answer(counter, platform, sold)
    with monkeypatch.context() as broken:
        broken.setattr(issuer_calls, "apply", crash)
        with pytest.raises(SystemExit):
            issuer_asking.ask_due(limit=9, at=SOON)

    assert issuer_asking.ask_due(limit=9, at=SOON + timedelta(seconds=5)) == 1
    assert state(sold) == ("used", 0, 0)


def test_silence_is_asked_five_times_every_5_s_then_every_40_s_then_people(
    counter: Counter, platform: FakePlatform
) -> None:
    sold = platform.sell()
    counter_looks_it_up(counter, platform, sold)
    platform.lose_requests = 10_000
    redeem(counter, sold.code)
    asked: list[int] = []
    for second in range(3 * 3_600):
        before = len(platform.heard)
        if IssuerCall.objects.filter(next_ask_at__lte=NOW + timedelta(seconds=second)).exists():
            issuer_asking.ask_due(limit=9, at=NOW + timedelta(seconds=second))
        asked += [second] * (len(platform.heard) - before)

    assert asked[:5] == [5, 10, 15, 20, 25]
    assert asked[5:14] == [65, 105, 145, 185, 225, 265, 305, 345, 385]
    assert asked[14:] == [385 + 3_600, 385 + 7_200]
    assert AuditEntry.objects.filter(act="issuer.undecided").count() == 1
    assert state(sold) == ("held", 1, 1), "nothing is concluded from silence"


def test_an_answer_that_names_the_wrong_number_of_uses_is_not_believed(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = platform.sell(*CARD)
    whole = FakePlatform._take

    def short(self: FakePlatform, order: Any) -> Any:
        answer = whole(self, order)
        return type(answer)(answer.state, answer.redemption_external_ids[:1], answer.redeemed_at)

    monkeypatch.setattr(FakePlatform, "_take", short)

    assert redeem(counter, card.code, card.code).outcome == "unknown"
    assert state(card) == ("held", 3, 2)


# --- before the platform is asked -------------------------------------------------------------------


def test_a_platforms_voucher_is_redeemed_alone(counter: Counter, platform: FakePlatform) -> None:
    one, other = platform.sell(), platform.sell()
    for sold in (one, other):
        counter_looks_it_up(counter, platform, sold)

    for codes in ((one.code, other.code), (one.code, counter.voucher().code)):
        with pytest.raises(errors.IssuerAlone) as refusal:
            redeem(counter, *codes)
        assert refusal.value.details["issuer"] == "douyin"
    assert not RedemptionRequest.objects.exists()


def test_our_own_rules_are_asked_first(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell(valid_until=NOW)

    with pytest.raises(errors.VoucherExpired):
        redeem(counter, sold.code)
    with pytest.raises(errors.VoucherNotFound):
        redeem(counter, "000000000000000")
    assert "redeem" not in platform.heard


def test_a_store_without_a_name_there_redeems_nothing_of_it(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    counter_looks_it_up(counter, platform, sold)
    IssuerStore.objects.all().delete()

    with pytest.raises(errors.StoreNotAtIssuer):
        redeem(counter, sold.code)


def test_where_nothing_speaks_to_the_platform_nothing_is_held(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = platform.sell()
    counter_looks_it_up(counter, platform, sold)
    with monkeypatch.context() as alone:
        alone.setattr(registry, "KNOWN", {})
        with pytest.raises(errors.IssuerNotThere):
            redeem(counter, sold.code)

    assert state(sold) == ("issued", 1, 0)
    assert not RedemptionRequest.objects.exists()


def test_a_platform_that_is_silent_about_a_code_is_no_miss(counter: Counter, platform: FakePlatform) -> None:
    platform.lose_requests = 1

    with pytest.raises(errors.IssuerDoesNotAnswer):
        redeem(counter, platform.sell().code)


def test_nobody_redeems_where_she_may_not(counter: Counter, platform: FakePlatform) -> None:
    stranger = counters.counter()
    request = RedeemRequest(counter.store.id, stranger.clerk.id, (platform.sell().code,), None, uuid4())

    with pytest.raises(errors.ClerkNotAtStore):
        issuer_redemption.redeem(request, at=NOW)
    assert not platform.heard
