"""redemption.redeem consumes what was asked for, all or nothing, once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.models import AuditEntry, OutboxMessage
from stores.models import Region, Store
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import Counter
from tests.vouchers.counters import counter as another_counter
from vouchers import errors, queries
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services import redemption
from vouchers.services.redemption import RedeemRequest, redeem_batch
from vouchers.signals import redeemed

CARD: dict[str, Any] = {"kind": "times_card", "list_price_fen": 6_000, "use_list_fen": [3_000, 2_000, 1_000]}


def refused(answer: Redeemed | DomainError) -> str:
    assert isinstance(answer, DomainError), f"redeemed: {answer}"
    return answer.code


def done(answer: Redeemed | DomainError) -> Redeemed:
    assert isinstance(answer, Redeemed), f"refused: {answer}"
    return answer


def test_a_use_becomes_a_redemption_at_the_store(counter: Counter) -> None:
    voucher = counter.voucher(paid_fen=1_234)

    answer = counter.redeem(voucher.code)

    redemption = Redemption.objects.get()
    assert (redemption.voucher_id, redemption.serial, redemption.amount_fen) == (voucher.id, 1, 1_234)
    assert (redemption.store, redemption.entity, redemption.customer_id) == (
        counter.store,
        counter.entity,
        voucher.customer_id,
    )
    assert redemption.business_date == date(2026, 6, 1)
    assert (redemption.redeemed_at, redemption.reversible_until) == (NOW, NOW + timedelta(hours=1))
    request = RedemptionRequest.objects.get()
    assert (request.outcome, request.source_kind, request.operator) == ("done", "counter", counter.clerk)
    voucher.refresh_from_db()
    assert (voucher.status, voucher.uses_left) == ("used", 0)
    [use] = answer.uses
    assert answer.public_id == request.public_id
    assert (use.public_id, use.voucher_public_id) == (redemption.public_id, voucher.public_id)
    assert (use.masked_code[-4:], use.title, use.amount_fen, use.uses_left) == (
        voucher.code[-4:],
        "20 元代金券",
        1_234,
        0,
    )
    assert voucher.code not in use.masked_code


def test_the_business_day_is_the_day_the_store_opened_on(counter: Counter) -> None:
    Store.objects.filter(pk=counter.store.pk).update(hours={"1": [["10:00", "26:00"]]})
    one_oclock_on_tuesday = datetime(2026, 6, 1, 17, 0, tzinfo=UTC)

    counter.redeem(counter.voucher().code, at=one_oclock_on_tuesday)

    assert Redemption.objects.get().business_date == date(2026, 6, 1)


def test_codes_are_read_as_people_type_them(counter: Counter) -> None:
    code = counter.voucher().code

    answer = counter.redeem(f" {code[:4]} {code[4:8]}-{code[8:]}")

    assert len(answer.uses) == 1


def test_several_peoples_vouchers_go_together_in_the_order_given(counter: Counter) -> None:
    vouchers = [counter.voucher() for _ in range(10)]

    answer = counter.redeem(*[voucher.code for voucher in vouchers])

    assert [use.voucher_id for use in answer.uses] == [voucher.id for voucher in vouchers]
    assert Redemption.objects.count() == 10
    assert AuditEntry.objects.get(act="voucher.redeem").subject_count == 10


def test_all_or_nothing(counter: Counter) -> None:
    good, used = counter.voucher(), counter.voucher()
    counter.redeem(used.code)

    with pytest.raises(errors.VoucherAlreadyRedeemed) as refusal:
        counter.redeem(good.code, used.code)

    assert refusal.value.details["position"] == 1
    good.refresh_from_db()
    assert (good.status, good.uses_left) == ("issued", 1)
    assert Redemption.objects.count() == 1


def test_a_refusal_stores_nothing_and_its_key_may_come_again(counter: Counter) -> None:
    voucher, key = counter.voucher(), uuid4()

    with pytest.raises(errors.VoucherNotFound):
        counter.redeem("000000000000", voucher.code, request_id=key)

    assert not RedemptionRequest.objects.exists()
    assert not AuditEntry.objects.exists()
    assert counter.redeem(voucher.code, request_id=key).is_repeat is False


def test_a_card_gives_its_uses_in_turn_each_at_its_own_amount(counter: Counter) -> None:
    card = counter.voucher(counter.terms(**CARD), paid_fen=3_000)

    answer = counter.redeem(card.code, card.code)

    assert [(use.serial, use.amount_fen, use.uses_left) for use in answer.uses] == [(1, 1_500, 1), (2, 1_000, 1)]
    card.refresh_from_db()
    assert (card.status, card.uses_left) == ("issued", 1)
    last = counter.redeem(card.code)
    assert [(use.serial, use.amount_fen, use.uses_left) for use in last.uses] == [(3, 500, 0)]
    card.refresh_from_db()
    assert card.status == "used"


def test_a_card_asked_for_more_uses_than_it_has_gives_none(counter: Counter) -> None:
    card = counter.voucher(counter.terms(**CARD))

    with pytest.raises(errors.VoucherAlreadyRedeemed):
        counter.redeem(card.code, card.code, card.code, card.code)

    card.refresh_from_db()
    assert (card.uses_left, card.status) == (3, "issued")


@pytest.mark.parametrize("count", [0, 11])
def test_one_to_ten_uses_a_request(counter: Counter, count: int) -> None:
    with pytest.raises(errors.CodesOutOfRange):
        counter.redeem(*["000000000000"] * count)


def test_an_already_redeemed_voucher_says_where_and_when(counter: Counter) -> None:
    voucher = counter.voucher()
    first = counter.redeem(voucher.code)

    with pytest.raises(errors.VoucherAlreadyRedeemed) as refusal:
        counter.redeem(voucher.code, at=NOW + timedelta(minutes=5))

    told = refusal.value.details
    assert (told["store"], told["store_name"]) == (counter.store.public_id, counter.store.name)
    assert (told["redemption"], told["redeemed_at"]) == (first.uses[0].public_id, NOW.isoformat())
    assert voucher.code not in str(told)


def test_another_brands_code_is_not_found(counter: Counter) -> None:
    with pytest.raises(errors.VoucherNotFound):
        counter.redeem(another_counter().voucher().code)


def test_nobody_redeems_where_she_does_not_work(counter: Counter) -> None:
    stranger = factories.staff(counter.brand, store=factories.store(counter.brand)).user

    [answer] = counter.batch(counter.request(counter.voucher().code, clerk=stranger))

    assert refused(answer) == "clerk_not_at_store"


def test_nothing_is_redeemed_at_a_store_that_has_closed(counter: Counter) -> None:
    Store.objects.filter(pk=counter.store.pk).update(status="closed", closed_at=NOW)

    with pytest.raises(errors.StoreClosedForGood):
        counter.redeem(counter.voucher().code)


def test_the_wrong_store_names_the_nearest_right_ones(counter: Counter) -> None:
    Store.objects.filter(pk=counter.store.pk).update(latitude=30.25, longitude=120.16)
    near = factories.store(counter.brand, name="近", latitude="30.26", longitude="120.16")
    far = factories.store(counter.brand, name="远", latitude="31.23", longitude="121.47")
    terms = counter.terms(store_scope={"stores": [far.public_id, near.public_id]})

    with pytest.raises(errors.WrongStore) as refusal:
        counter.redeem(counter.voucher(terms).code)

    assert [(one["store"], one["name"]) for one in refusal.value.details["nearest"]] == [
        (near.public_id, "近"),
        (far.public_id, "远"),
    ]
    assert refusal.value.details["nearest"][0]["distance_metres"] == pytest.approx(1_112, abs=10)
    with CaptureQueriesContext(connection) as asked, pytest.raises(errors.WrongStore):
        counter.redeem(counter.vouchers(terms)[0].code)
    assert not [one for one in asked if "asin" in one["sql"].lower()], "the way is shown out of memory"


def test_a_voucher_is_honoured_in_a_region_and_those_below(counter: Counter) -> None:
    province = Region.objects.create(brand=counter.brand, code="33", name="浙江省")
    city = Region.objects.create(brand=counter.brand, code="3301", name="杭州市", parent=province)
    Store.objects.filter(pk=counter.store.pk).update(region=city)
    there = counter.voucher(counter.terms(store_scope={"regions": [province.public_id]}))
    not_there = counter.voucher(counter.terms(store_scope={"except_regions": [province.public_id]}))

    assert counter.redeem(there.code).uses
    with pytest.raises(errors.WrongStore):
        counter.redeem(not_there.code)


def test_the_bill_decides_where_a_voucher_asks_for_it_and_is_kept(counter: Counter) -> None:
    voucher = counter.voucher(counter.terms(min_spend_fen=6_000))

    with pytest.raises(errors.BillAmountRequired) as unsaid:
        counter.redeem(voucher.code)
    with pytest.raises(errors.MinSpendNotReached) as too_little:
        counter.redeem(voucher.code, bill_fen=5_999)
    counter.redeem(voucher.code, bill_fen=6_000)

    assert unsaid.value.param == "bill_fen"
    assert too_little.value.details["min_spend_fen"] == 6_000
    assert RedemptionRequest.objects.get().bill_fen == 6_000


def test_a_cash_voucher_gives_no_change(counter: Counter) -> None:
    voucher = counter.voucher(paid_fen=990)

    answer = counter.redeem(voucher.code, bill_fen=100)

    assert (answer.uses[0].amount_fen, answer.uses[0].uses_left) == (990, 0)


def test_an_order_takes_no_more_of_a_deal_than_its_terms_say(counter: Counter) -> None:
    terms = counter.terms(max_per_order=1)
    one, other = counter.voucher(terms), counter.voucher(terms)

    with pytest.raises(errors.TooManyOfOneDeal):
        counter.redeem(one.code, other.code)

    assert not Redemption.objects.exists()
    assert Voucher.objects.filter(uses_left=1, status="issued").count() == 2


def test_the_same_request_again_gets_the_first_answer_in_its_current_state(counter: Counter) -> None:
    card, key = counter.voucher(counter.terms(**CARD)), uuid4()
    first = counter.redeem(card.code, card.code, request_id=key)
    counter.redeem(card.code)

    again = counter.redeem(card.code, card.code, request_id=key, at=NOW + timedelta(days=400))

    assert again.is_repeat
    assert again.request_id == first.request_id
    assert [use.redemption_id for use in again.uses] == [use.redemption_id for use in first.uses]
    assert [use.redeemed_at for use in again.uses] == [NOW, NOW]
    assert [use.uses_left for use in again.uses] == [0, 0]
    assert Redemption.objects.count() == 3


def test_the_order_of_the_codes_is_no_other_content(counter: Counter) -> None:
    one, other, key = counter.voucher(), counter.voucher(), uuid4()
    counter.redeem(one.code, other.code, request_id=key)

    assert counter.redeem(other.code, one.code, request_id=key).is_repeat


@pytest.mark.parametrize("change", ["other code", "more uses", "a bill"])
def test_the_same_key_with_other_content_is_refused(counter: Counter, change: str) -> None:
    card, key = counter.voucher(counter.terms(**CARD)), uuid4()
    counter.redeem(card.code, request_id=key)
    codes = {"other code": [counter.voucher().code], "more uses": [card.code, card.code], "a bill": [card.code]}

    with pytest.raises(IdempotencyConflict):
        counter.redeem(*codes[change], bill_fen=1 if change == "a bill" else None, request_id=key)

    assert Redemption.objects.count() == 1


def test_a_key_belongs_to_its_store(counter: Counter) -> None:
    key = uuid4()
    elsewhere = another_counter(brand=counter.brand)
    elsewhere._next_number = 100
    counter.redeem(counter.voucher().code, request_id=key)

    assert not elsewhere.redeem(elsewhere.voucher().code, request_id=key).is_repeat


def test_requests_of_a_batch_see_each_others_effects_in_order(counter: Counter) -> None:
    voucher, card, key = counter.voucher(), counter.voucher(counter.terms(**CARD)), uuid4()

    answers = counter.batch(
        counter.request(card.code, voucher.code, "000000000000"),
        counter.request(voucher.code, request_id=key),
        counter.request(voucher.code),
        counter.request(voucher.code, request_id=key),
        counter.request(card.code, request_id=key),
        counter.request(card.code, card.code),
        counter.request(card.code),
    )

    assert refused(answers[0]) == "voucher_not_found"
    assert [use.serial for use in done(answers[1]).uses] == [1]
    assert refused(answers[2]) == "voucher_already_redeemed"
    assert done(answers[3]).request_id == done(answers[1]).request_id
    assert done(answers[3]).is_repeat
    assert refused(answers[4]) == "idempotency_conflict"
    assert [use.serial for use in done(answers[5]).uses] == [1, 2]
    assert [use.serial for use in done(answers[6]).uses] == [3]
    card.refresh_from_db()
    assert (card.status, card.uses_left) == ("used", 0)


def test_a_batch_of_several_brands_announces_each_once_and_audits_every_request(counter: Counter) -> None:
    other = another_counter()
    requests = [counter.request(counter.voucher().code) for _ in range(3)]
    requests.append(RedeemRequest(other.store.id, other.clerk.id, (other.voucher().code,), None, uuid4()))

    redeem_batch(requests, at=NOW)

    told = OutboxMessage.objects.filter(topic="vouchers.redeemed")
    assert {message.brand_id: message.item_count for message in told} == {counter.brand.id: 3, other.brand.id: 1}
    acts = AuditEntry.objects.filter(act="voucher.redeem")
    assert {act.subject_id for act in acts} == set(RedemptionRequest.objects.values_list("id", flat=True))
    assert {(act.actor_kind, act.at) for act in acts} == {("staff", NOW)}


def test_the_apps_above_hear_one_signal_a_batch_inside_the_transaction(counter: Counter) -> None:
    heard: list[tuple[list[Redemption], datetime, bool]] = []

    def listen(sender: object, redemptions: list[Redemption], at: datetime, **_: object) -> None:
        heard.append((redemptions, at, connection.in_atomic_block))

    redeemed.connect(listen)
    try:
        counter.batch(counter.request(counter.voucher().code), counter.request(counter.voucher().code))
    finally:
        redeemed.disconnect(listen)

    [(redemptions, at, inside)] = heard
    assert (len(redemptions), at, inside) == (2, NOW, True)
    with CaptureQueriesContext(connection) as asked:
        assert {redemption.voucher.brand_id for redemption in redemptions} == {counter.brand.id}
    assert len(asked) == 0


def test_what_a_receiver_refuses_did_not_happen(counter: Counter) -> None:
    voucher = counter.voucher()

    def refuse(sender: object, **_: object) -> None:
        raise IntegrityError("the ledger says no")

    redeemed.connect(refuse)
    try:
        with pytest.raises(IntegrityError):
            counter.redeem(voucher.code)
    finally:
        redeemed.disconnect(refuse)

    voucher.refresh_from_db()
    assert (voucher.status, Redemption.objects.count()) == ("issued", 0)


@pytest.mark.django_db(transaction=True)  # the ledger remembers accounts when they are committed
@pytest.mark.parametrize("size", [1, 16])
def test_a_batch_takes_eight_statements_however_large_it_is(counter: Counter, size: int) -> None:
    requests = [counter.request(counter.voucher().code, counter.voucher().code) for _ in range(size)]
    # A process meets terms and a brand's accounts once.
    queries.terms(set(Voucher.objects.values_list("terms_id", flat=True)))
    counter.redeem(counter.voucher().code)

    with CaptureQueriesContext(connection) as statements:
        answers = counter.batch(*requests)

    assert all(isinstance(answer, Redeemed) for answer in answers)
    said = [one["sql"].split()[0] for one in statements if not one["sql"].startswith(("BEGIN", "COMMIT"))]
    assert len(said) == 8, said


def test_a_key_taken_by_another_process_meanwhile_is_decided_again(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other process commits between our look and our write: simulated by hiding its row from the first look.
    voucher, other, key = counter.voucher(), counter.voucher(), uuid4()
    counter.redeem(other.code, request_id=key)
    looks: list[int] = []
    real = redemption.facts_of

    def blind_at_first(*args: Any, **kwargs: Any) -> Any:
        facts = real(*args, **kwargs)
        looks.append(1)
        if len(looks) == 1:
            facts.first_answers.clear()
        return facts

    monkeypatch.setattr(redemption, "facts_of", blind_at_first)

    with pytest.raises(IdempotencyConflict):
        counter.redeem(voucher.code, request_id=key)

    assert len(looks) == 2
    voucher.refresh_from_db()
    assert (voucher.status, Redemption.objects.count()) == ("issued", 1)
