"""Settling: each use that can no longer be undone pays everybody, once, by the rule of its terms."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from orders.models import Account, CashRule, Settlement, StoreStatement
from orders.services import settlement_lines, surcharges
from orders.services.settling import settle_uses
from orders.services.settling_cash import settle_order_cash, settle_surcharges
from orders.services.surcharges import Extra
from stores.models import StoreEntity, StoreGroup, StoreGroupMember
from tests import factories
from tests.factories import NOW
from tests.orders import ordering, settled, world
from tests.orders.settled import AFTER, owed
from tests.vouchers import fake_platform, granted
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers.errors import RedemptionSettled
from vouchers.issuers.interface import CallState, CancelAnswer, RedeemAnswer
from vouchers.models import IssuerCall, Redemption
from vouchers.services import issuer_import, issuer_outcomes
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db
Kind = Account.Kind


@pytest.fixture
def counter() -> Counter:
    return settled.counter()


def test_a_use_settles_once_its_window_is_over(counter: Counter) -> None:
    redemption = settled.used(counter)

    assert settle_uses(at=NOW + timedelta(minutes=59)) == 0
    assert settle_uses(at=NOW + timedelta(minutes=60)) == 1
    assert settle_uses(at=AFTER) == 0
    redemption.refresh_from_db()
    assert redemption.settled_at == NOW + timedelta(minutes=60)


def test_everybody_is_paid_to_the_fen(counter: Counter) -> None:
    line = settled.settled(counter)

    assert (line.paid_fen, line.entity_fen, line.promoter_fen, line.provider_fen) == (970, 873, 58, 20)
    assert (line.share_fen, line.fee_fen, line.borne_fen, line.brand_fen) == (970, 19, 78, 19)
    assert owed(counter, Kind.ENTITY_PAYABLE, counter.entity.pk) == 873
    assert owed(counter, Kind.PROMOTER_PAYABLE, line.promoter_id) == 58
    assert owed(counter, Kind.AGENCY_PAYABLE, line.promoter_id) == 20
    assert owed(counter, Kind.BRAND_SHARE) == 19
    assert owed(counter, Kind.REDEEMED) == 0


def test_a_line_names_its_redemption_purchase_and_rule(counter: Counter) -> None:
    line = settled.settled(counter)
    redemption = Redemption.objects.select_related("voucher").get(pk=line.redemption_id)

    assert line.purchase_id == redemption.voucher.source_id
    assert (line.terms_id, line.rule) == (redemption.voucher.terms_id, 0)
    assert (line.business_date, line.booked_date) == (redemption.business_date, redemption.business_date)


def test_terms_without_a_rule_leave_the_store_all_but_what_others_get(counter: Counter) -> None:
    line = settled.settled(counter, rules=[])

    assert (line.rule, line.entity_fen, line.brand_fen, line.promoter_fen) == (None, 892, 0, 58)


def test_a_store_of_a_group_goes_by_the_groups_rule(counter: Counter) -> None:
    airports = StoreGroup.objects.create(brand=counter.brand, code="air", name="机场店", created_at=NOW)
    rules = [{"stores": {"groups": [airports.public_id]}, "per_use_fen": 1_200}, {"share_bps": 5_000}]
    terms = counter.terms(settlement_rules=rules)

    before = settled.settled(counter, terms=terms)
    StoreGroupMember.objects.create(group=airports, store=counter.store)
    after = settled.settled(counter, terms=terms)

    assert (before.rule, before.share_fen) == (1, 485)
    assert (after.rule, after.share_fen, after.brand_fen) == (0, 1_200, 970 - 1_200)
    assert owed(counter, Kind.BRAND_SHARE) == before.brand_fen + after.brand_fen


def test_a_granted_use_brings_what_the_rule_fixes(counter: Counter) -> None:
    terms = counter.terms(settlement_rules=[{"per_use_fen": 500, "fee_bps": 200}])
    made = granted.grant(terms, granted.to(factories.customer(counter.brand)), by=granted.staff(counter.clerk))
    granted.issue_all()
    counter.redeem(granted.vouchers_of(made)[0].code)
    settle_uses(at=AFTER)
    line = Settlement.objects.get()

    assert (line.paid_fen, line.entity_fen, line.brand_fen, line.purchase_id) == (0, 500, -500, None)


def test_a_store_of_nobodys_leaves_it_to_the_brand(counter: Counter) -> None:
    StoreEntity.objects.filter(store=counter.store).delete()
    line = settled.settled(counter)

    assert (line.entity_id, line.entity_fen, line.brand_fen) == (None, 0, 892)


def test_a_store_sold_on_the_15th_splits_its_month(counter: Counter) -> None:
    buyer = factories.entity(counter.brand, kind="franchisee", name="李四")
    day = NOW + timedelta(days=14)
    StoreEntity.objects.create(store=counter.store, entity=buyer, from_date=day.date())

    settled.settled(counter, at=day - timedelta(days=1))
    settled.settled(counter, at=day)

    assert owed(counter, Kind.ENTITY_PAYABLE, counter.entity.pk) == 873
    assert owed(counter, Kind.ENTITY_PAYABLE, buyer.pk) == 873
    days = dict(StoreStatement.objects.values_list("entity_id", "day"))
    assert days == {counter.entity.pk: date(2026, 6, 14), buyer.pk: date(2026, 6, 15)}


@pytest.fixture
def called(counter: Counter) -> IssuerCall:
    """What a platform sold for ¥15 with ¥3 of its own and ¥2 of the brand's, redeemed; its fee is 2.5 %."""
    terms = counter.terms(settlement_rules=[{"platform_bps": 250, "merchant_discount_by": "brand"}])
    fake_platform.honoured_at(counter.store, platform := FakePlatform(), terms=terms)
    [voucher] = issuer_import.take_in(
        brand_id=counter.brand.pk, issuer="douyin", certificates=[platform.sell()], at=NOW
    )
    call = world.called(counter, voucher)
    issuer_outcomes.apply_redeem(call.pk, RedeemAnswer(CallState.DONE, ("v1",), NOW, None), at=NOW)
    return call


def test_what_a_platform_sold_pays_its_fee_and_what_the_brand_gave_up(counter: Counter, called: IssuerCall) -> None:
    settle_uses(at=AFTER)
    line = Settlement.objects.get()

    assert (line.paid_fen, line.platform_fen, line.share_fen) == (1_800, 45, 2_000)
    assert (line.entity_fen, line.brand_fen) == (1_955, -200)
    assert owed(counter, Kind.PLATFORM_RECEIVABLE, "douyin") == -1_755


def test_what_a_platform_is_asked_to_undo_waits_for_its_answer(counter: Counter, called: IssuerCall) -> None:
    redemption = Redemption.objects.get(voucher_id=called.voucher_id)
    asked = IssuerCall.objects.create(
        issuer="douyin",
        kind="cancel",
        voucher_id=called.voucher_id,
        redemption=redemption,
        actor_kind="staff",
        actor_id=counter.clerk.pk,
        request_id=uuid4(),
        uses=1,
        store_external_id="poi",
        next_ask_at=NOW,
        created_at=NOW,
    )
    assert settle_uses(at=AFTER) == 0

    issuer_outcomes.apply_cancel(asked.pk, CancelAnswer(CallState.REFUSED), at=AFTER)
    assert settle_uses(at=AFTER) == 1


def test_a_settled_use_is_not_undone(counter: Counter) -> None:
    redemption = settled.used(counter)
    settle_uses(at=AFTER)

    with pytest.raises(RedemptionSettled):
        reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=30))


def test_an_undone_use_does_not_settle(counter: Counter) -> None:
    redemption = settled.used(counter)
    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=30))

    assert settle_uses(at=AFTER) == 0
    assert not Settlement.objects.exists()


def test_an_order_settles_an_hour_after_it_is_ready(counter: Counter) -> None:
    [voucher] = settled.bought(counter)
    order = ordering.confirmed(counter, voucher=voucher)
    assert settle_uses(at=AFTER + timedelta(days=1)) == 0

    ordering.move(counter, order, "accept", "begin_making", "ready", at=AFTER)
    assert settle_uses(at=AFTER + timedelta(minutes=59)) == 0
    assert settle_uses(at=AFTER + timedelta(minutes=60)) == 1


def test_an_orders_cash_is_its_entitys_less_the_brands_fee(counter: Counter) -> None:
    CashRule.objects.create(
        brand=counter.brand, kind="store_order", from_date=date(2026, 1, 1), fee_bps=500, created_at=NOW
    )
    order = ordering.pay(ordering.place(counter))
    ordering.move(counter, order, "accept", "begin_making", "ready", at=AFTER)

    assert settle_order_cash(at=AFTER + timedelta(minutes=59)) == 0
    assert settle_order_cash(at=AFTER + timedelta(minutes=60)) == 1
    assert settle_order_cash(at=AFTER + timedelta(days=1)) == 0
    line = Settlement.objects.get(pk=order.pk)
    assert (line.paid_fen, line.fee_fen, line.entity_fen) == (1_900, 95, 1_805)
    assert owed(counter, Kind.STORE_ORDER_CASH) == 0


@pytest.mark.parametrize(("entity_rule", "fee_fen"), [(None, 50), (100, 5)])
def test_a_surcharge_at_the_till_is_kept_by_the_store(counter: Counter, entity_rule: int | None, fee_fen: int) -> None:
    plain = {"brand": counter.brand, "kind": "surcharge", "created_at": NOW}
    CashRule.objects.create(from_date=date(2026, 1, 1), fee_bps=1_000, **plain)
    if entity_rule is not None:
        CashRule.objects.create(from_date=date(2025, 1, 1), fee_bps=entity_rule, entity=counter.entity, **plain)
    redemption = settled.used(counter)
    surcharges.record_at_till(
        redemption_id=redemption.pk,
        extra=Extra(reason="大杯", amount_fen=500),
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW,
    )
    assert settle_surcharges(at=NOW + timedelta(minutes=59)) == 0
    assert settle_surcharges(at=AFTER) == 1
    assert settle_surcharges(at=AFTER) == 0

    line = Settlement.objects.get(source_kind="surcharge")
    assert (line.paid_fen, line.fee_fen, line.till_fen, line.redemption_id) == (500, fee_fen, 500, redemption.pk)
    assert owed(counter, Kind.ENTITY_PAYABLE, counter.entity.pk) == -fee_fen
    assert (owed(counter, Kind.TILL), owed(counter, Kind.SURCHARGES)) == (0, 0)


def test_a_thing_settles_once_however_it_is_booked(counter: Counter) -> None:
    line = settled.settled(counter)
    again = settlement_lines.Line(
        id=line.pk,
        brand_id=line.brand_id,
        source_kind=Settlement.Source.REDEMPTION,
        store_id=line.store_id,
        entity_id=line.entity_id,
        customer_id=line.customer_id,
        business_date=line.business_date,
        division=settlement_lines.Division(970, 970, 0, 0, 0, 0, 0, 0),
    )

    with pytest.raises(IntegrityError, match="orders_settlement_pkey"), transaction.atomic():
        settlement_lines.book([again], at=AFTER)


def test_a_batch_asks_the_same_number_of_statements_whatever_its_size(
    counter: Counter, django_assert_max_num_queries: object
) -> None:
    terms = counter.terms(settlement_rules=[{"stores": {"stores": [counter.store.public_id]}, "fee_bps": 100}])
    settled.settled(counter, terms=terms)  # accounts and rules are remembered from here on
    for voucher in settled.bought(counter, terms=terms, quantity=9):
        counter.redeem(voucher.code)

    with django_assert_max_num_queries(14):  # type: ignore[operator]
        assert settle_uses(at=AFTER) == 9


def test_settling_finds_its_work_along_an_index(counter: Counter) -> None:
    settled.used(counter)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM vouchers_redemption WHERE settled_at IS NULL AND reversed_at IS NULL"
            " AND reversible_until <= now() ORDER BY reversible_until LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "redemption_to_settle" in plan
    assert "Sort" not in plan


def test_a_line_is_written_once(counter: Counter) -> None:
    settled.settled(counter)

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE orders_settlement SET settled_at = now()")
