"""reversal.reverse takes back one counter redemption, in its window, once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from config.accounts.models import User
from config.kernel.models import AuditEntry, OutboxMessage
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import Counter
from vouchers import errors
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.services import expiry, returns, reversal
from vouchers.signals import reversed_

SOON = NOW + timedelta(minutes=5)


def redeemed(counter: Counter, voucher: Voucher, *, at: datetime = NOW) -> UUID:
    return counter.redeem(voucher.code, at=at).uses[0].redemption_id


def reverse(counter: Counter, redemption_id: UUID, **fields: Any) -> Redemption:
    plain: dict[str, Any] = {"operator": counter.clerk, "request_id": uuid4(), "at": SOON}
    return reversal.reverse(redemption_id=redemption_id, **{**plain, **fields})


def test_the_use_is_free_again_and_may_be_redeemed_again(counter: Counter) -> None:
    voucher = counter.voucher()
    redemption_id = redeemed(counter, voucher)

    undone = reverse(counter, redemption_id)

    assert (undone.reversed_at, undone.reversed_by_id) == (SOON, counter.clerk.id)
    voucher.refresh_from_db()
    assert (voucher.status, voucher.uses_left) == ("issued", 1)
    assert counter.redeem(voucher.code).uses[0].serial == 1
    assert Redemption.objects.filter(voucher=voucher).count() == 2


def test_a_card_gets_back_the_use_that_was_undone(counter: Counter) -> None:
    card = counter.voucher(
        counter.terms(kind="times_card", list_price_fen=600, use_list_fen=[300, 200, 100]), paid_fen=600
    )
    first = counter.redeem(card.code, card.code)

    reverse(counter, first.uses[0].redemption_id)

    again = counter.redeem(card.code)
    assert [(use.serial, use.amount_fen, use.uses_left) for use in again.uses] == [(1, 300, 1)]


def test_a_repeat_gets_the_same_redemption(counter: Counter) -> None:
    redemption_id, key = redeemed(counter, counter.voucher()), uuid4()
    first = reverse(counter, redemption_id, request_id=key)

    again = reverse(counter, redemption_id, request_id=key, at=NOW + timedelta(days=3))

    assert (again.id, again.reversed_at) == (first.id, first.reversed_at)
    assert AuditEntry.objects.filter(act="voucher.reverse").count() == 1


def test_another_request_finds_it_undone(counter: Counter) -> None:
    redemption_id = redeemed(counter, counter.voucher())
    reverse(counter, redemption_id)

    with pytest.raises(errors.RedemptionAlreadyReversed):
        reverse(counter, redemption_id)


def test_the_window_ends_strictly_before_its_last_moment(counter: Counter) -> None:
    one, other = redeemed(counter, counter.voucher()), redeemed(counter, counter.voucher())
    until = NOW + timedelta(hours=1)

    reverse(counter, one, at=until - timedelta(microseconds=1))
    with pytest.raises(errors.ReversalWindowOver) as refusal:
        reverse(counter, other, at=until)

    assert refusal.value.details["reversible_until"] == until.isoformat()


def test_what_is_settled_stays(counter: Counter) -> None:
    redemption_id = redeemed(counter, counter.voucher())
    Redemption.objects.filter(pk=redemption_id).update(settled_at=NOW)

    with pytest.raises(errors.RedemptionSettled):
        reverse(counter, redemption_id)


def test_a_redemption_of_a_store_order_is_the_orders_to_undo(counter: Counter) -> None:
    redemption_id = redeemed(counter, counter.voucher())
    RedemptionRequest.objects.update(source_kind="store_order", source_id=uuid4())

    with pytest.raises(errors.RedemptionBelongsToOrder):
        reverse(counter, redemption_id)


@pytest.mark.parametrize("who", ["another store's clerk", "another brand's owner"])
def test_nobody_undoes_where_she_may_not_redeem(counter: Counter, who: str) -> None:
    redemption_id = redeemed(counter, counter.voucher())
    stranger: User = (
        factories.staff(counter.brand, store=factories.store(counter.brand)).user
        if who == "another store's clerk"
        else factories.staff(factories.brand(), role="owner").user
    )

    with pytest.raises(errors.RedemptionNotFound):
        reverse(counter, redemption_id, operator=stranger)
    with pytest.raises(errors.RedemptionNotFound):
        reverse(counter, uuid4())


def test_after_valid_until_it_gives_a_day_of_grace_and_then_expires(counter: Counter) -> None:
    voucher = counter.voucher()
    last_moment = voucher.valid_until - timedelta(minutes=1)
    redemption_id = redeemed(counter, voucher, at=last_moment)
    after = voucher.valid_until + timedelta(minutes=30)

    reverse(counter, redemption_id, at=after)

    voucher.refresh_from_db()
    assert voucher.valid_until == after + timedelta(hours=24)
    assert expiry.expire_due(limit=10, at=after + timedelta(hours=23)) == 0
    assert counter.redeem(voucher.code, at=after + timedelta(hours=23)).uses
    reverse(counter, Redemption.objects.get(reversed_at=None).id, at=after + timedelta(hours=23, minutes=5))
    assert expiry.expire_due(limit=10, at=after + timedelta(hours=24)) == 1


def test_before_valid_until_no_day_is_given_away(counter: Counter) -> None:
    voucher = counter.voucher()
    redemption_id = redeemed(counter, voucher, at=voucher.valid_until - timedelta(minutes=2))

    reverse(counter, redemption_id, at=voucher.valid_until - timedelta(minutes=1))

    until = voucher.valid_until
    voucher.refresh_from_db()
    assert voucher.valid_until == until


def test_a_use_undone_beside_a_running_refund_waits_for_its_end(counter: Counter) -> None:
    card = counter.voucher(counter.terms(kind="times_card"))
    redemption_id = redeemed(counter, card)
    with transaction.atomic():
        returns.begin_refund(voucher_id=card.id, customer_id=card.customer_id, at=NOW)

    reverse(counter, redemption_id)

    card.refresh_from_db()
    assert (card.status, card.uses_left) == ("refunding", 1)
    with transaction.atomic():
        returns.finish_refund(voucher_ids=[card.id], at=SOON)
    card.refresh_from_db()
    assert card.status == "issued"
    assert counter.redeem(card.code).uses[0].serial == 1
    card.refresh_from_db()
    assert card.status == "refunded"


def test_a_clock_behind_the_redeeming_servers_breaks_nothing(counter: Counter) -> None:
    redemption_id = redeemed(counter, counter.voucher())

    assert reverse(counter, redemption_id, at=NOW - timedelta(seconds=2)).reversed_at == NOW


def test_it_leaves_its_trail_and_tells_the_apps_above(counter: Counter) -> None:
    heard: list[tuple[list[Redemption], datetime]] = []

    def listen(sender: object, redemptions: list[Redemption], at: datetime, **_: object) -> None:
        heard.append((redemptions, at))

    voucher = counter.voucher()
    redemption_id = redeemed(counter, voucher)
    reversed_.connect(listen)
    try:
        reverse(counter, redemption_id)
    finally:
        reversed_.disconnect(listen)

    [([redemption], at)] = heard
    assert (redemption.id, redemption.voucher.brand_id, at) == (redemption_id, counter.brand.id, SOON)
    act = AuditEntry.objects.get(act="voucher.reverse")
    assert (act.actor_id, act.subject_id, act.brand_id) == (counter.clerk.id, redemption_id, counter.brand.id)
    [told] = OutboxMessage.objects.get(topic="vouchers.reversed").items
    assert (told["voucher"], told["uses_left"]) == (voucher.public_id, 1)
    assert at == datetime(2026, 6, 1, 4, 5, tzinfo=UTC)
