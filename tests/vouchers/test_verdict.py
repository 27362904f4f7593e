"""verdict.refusal_of says the first thing that stands in the way, and nothing when nothing does."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from vouchers import errors
from vouchers.verdict import (
    Refusal,
    StoreScope,
    Terms,
    is_in_calendar,
    minutes_of,
    refusal_of,
    refusal_together,
    scope_of,
    status_of,
)

NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # noon in Shanghai, a Monday
SHANGHAI = ZoneInfo("Asia/Shanghai")
STORE, REGION, PROVINCE = uuid4(), uuid4(), uuid4()


@dataclass
class Held:
    status: str = "issued"
    uses_left: int = 1
    uses_held: int = 0
    valid_from: datetime = NOW - timedelta(days=1)
    valid_until: datetime = NOW + timedelta(days=1)
    extensions: int = 0


@dataclass
class Here:
    store_id: UUID = STORE
    region_ids: frozenset[UUID] = frozenset({REGION, PROVINCE})
    group_ids: frozenset[UUID] = frozenset()
    is_dearer: bool = False
    zone: str = "Asia/Shanghai"


def terms(**fields: Any) -> Terms:
    plain: dict[str, Any] = {
        "id": uuid4(),
        "deal_id": uuid4(),
        "brand_id": uuid4(),
        "number": 1,
        "kind": "cash",
        "title": "20 元代金券",
        "use_list_fen": (2_000,),
        "face_value_fen": 2_000,
        "discount_rate_bps": None,
        "discount_cap_fen": None,
        "min_spend_fen": 0,
        "usable_from": None,
        "usable_until": None,
        "usable_days": 30,
        "weekdays": frozenset(),
        "day_spans": (),
        "blackout_dates": frozenset(),
        "scope": StoreScope(everywhere=True),
        "stacking_group": "",
        "max_per_order": None,
        "refundable_unused": True,
        "refunds_on_expiry": True,
    }
    return Terms(**{**plain, **fields})


def verdict(
    held: Held | None = None, *, bill_fen: int | None = None, at: datetime = NOW, **rules: Any
) -> Refusal | None:
    return refusal_of(held or Held(), terms(**rules), store=Here(), bill_fen=bill_fen, at=at)


def test_a_plain_voucher_is_usable() -> None:
    assert verdict() is None


def test_what_is_not_there_is_not_found() -> None:
    assert refusal_of(None, None, store=Here(), bill_fen=None, at=NOW) is errors.VoucherNotFound


@pytest.mark.parametrize(
    ("held", "refusal"),
    [
        (Held(status="refunding", uses_left=0), errors.VoucherRefunded),
        (Held(status="refunded", uses_left=0), errors.VoucherRefunded),
        (Held(status="used", uses_left=0), errors.VoucherAlreadyRedeemed),
        (Held(status="held", uses_held=1), errors.VoucherHeld),
        (Held(status="expired", uses_left=0), errors.VoucherExpired),
    ],
)
def test_its_state_speaks_first(held: Held, refusal: Refusal) -> None:
    assert verdict(held) is refusal


def test_validity_begins_inclusive_and_ends_exclusive() -> None:
    held = Held(valid_from=NOW, valid_until=NOW + timedelta(seconds=1))

    assert verdict(held, at=NOW - timedelta(microseconds=1)) is errors.VoucherNotYetValid
    assert verdict(held, at=NOW) is None
    assert verdict(held, at=NOW + timedelta(seconds=1)) is errors.VoucherExpired


def test_every_refusal_comes_before_those_after_it() -> None:
    everything: dict[str, Any] = {
        "min_spend_fen": 5_000,
        "weekdays": frozenset({7}),
        "scope": StoreScope(everywhere=True, except_stores=frozenset({STORE})),
    }
    heard = [
        verdict(Held(status="refunded", uses_held=1, valid_until=NOW), **everything),
        verdict(Held(status="used", uses_held=1, valid_until=NOW), **everything),
        verdict(Held(uses_held=1, valid_from=NOW + timedelta(days=1)), **everything),
        verdict(Held(valid_from=NOW + timedelta(days=1), valid_until=NOW), **everything),
        verdict(Held(valid_until=NOW), **everything),
        verdict(**everything),
        verdict(**{**everything, "scope": StoreScope(everywhere=True)}),
        verdict(min_spend_fen=5_000),
        verdict(min_spend_fen=5_000, bill_fen=4_999),
        verdict(min_spend_fen=5_000, bill_fen=5_000),
    ]

    assert heard == [
        errors.VoucherRefunded,
        errors.VoucherAlreadyRedeemed,
        errors.VoucherHeld,
        errors.VoucherNotYetValid,
        errors.VoucherExpired,
        errors.WrongStore,
        errors.VoucherNotUsableNow,
        errors.BillAmountRequired,
        errors.MinSpendNotReached,
        None,
    ]


def test_a_discount_needs_the_bill_even_without_a_minimum_spend() -> None:
    rules: dict[str, Any] = {"kind": "discount", "face_value_fen": None, "discount_rate_bps": 2_000}

    assert verdict(**rules) is errors.BillAmountRequired
    assert verdict(bill_fen=0, **rules) is None


@pytest.mark.parametrize(
    ("rule", "honoured"),
    [
        ({}, True),
        ({"everywhere": True}, True),
        ({"stores": [f"sto_{STORE.hex}"]}, True),
        ({"stores": [f"sto_{uuid4().hex}"]}, False),
        ({"regions": [f"rgn_{PROVINCE.hex}"]}, True),
        ({"regions": [f"rgn_{uuid4().hex}"]}, False),
        ({"regions": [f"rgn_{uuid4().hex}"], "stores": [f"sto_{STORE.hex}"]}, True),
        ({"everywhere": True, "except_stores": [f"sto_{STORE.hex}"]}, False),
        ({"except_regions": [f"rgn_{REGION.hex}"]}, False),
        ({"stores": [f"sto_{STORE.hex}"], "except_regions": [f"rgn_{PROVINCE.hex}"]}, False),
    ],
)
def test_a_store_scope_is_what_it_names_minus_what_it_excepts(rule: dict[str, Any], honoured: bool) -> None:
    assert scope_of(rule).honours(STORE, Here().region_ids) is honoured


def at_shanghai(day: int, clock: str) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    return datetime(2026, 6, day, hours, minutes, tzinfo=SHANGHAI)


FRIDAY, SATURDAY, SUNDAY = 5, 6, 7
FRIDAY_NIGHT = {"weekdays": frozenset({5}), "day_spans": ((minutes_of("18:00"), minutes_of("26:00")),)}


@pytest.mark.parametrize(
    ("day", "clock", "usable"),
    [
        (FRIDAY, "17:59", False),
        (FRIDAY, "18:00", True),
        (SATURDAY, "01:59", True),
        (SATURDAY, "02:00", False),
        (SATURDAY, "18:00", False),
        (FRIDAY, "01:00", False),  # Thursday's night
    ],
)
def test_a_span_past_midnight_belongs_to_the_day_it_began_on(day: int, clock: str, usable: bool) -> None:
    assert is_in_calendar(terms(**FRIDAY_NIGHT), zone="Asia/Shanghai", at=at_shanghai(day, clock)) is usable


def test_a_blackout_date_takes_its_own_night_with_it_and_leaves_the_night_before() -> None:
    rules = terms(blackout_dates=frozenset({date(2026, 6, SATURDAY)}), day_spans=((0, minutes_of("26:00")),))

    heard = {
        clock: is_in_calendar(rules, zone="Asia/Shanghai", at=at_shanghai(day, clock))
        for day, clock in ((SATURDAY, "01:00"), (SATURDAY, "12:00"), (SUNDAY, "12:01"))
    }

    assert heard == {"01:00": True, "12:00": False, "12:01": True}


def test_the_calendar_is_the_stores_own() -> None:
    rules = terms(weekdays=frozenset({1}))
    monday_in_shanghai = datetime(2026, 5, 31, 16, 30, tzinfo=UTC)

    assert is_in_calendar(rules, zone="Asia/Shanghai", at=monday_in_shanghai)
    assert not is_in_calendar(rules, zone="Europe/London", at=monday_in_shanghai)


def test_max_per_order_counts_vouchers_of_a_deal_and_not_uses_of_a_card() -> None:
    card = terms(max_per_order=1)
    newer = replace(card, id=uuid4(), number=2)
    one, other = uuid4(), uuid4()

    assert refusal_together([(one, card), (one, card)]) is None
    assert refusal_together([(one, card), (other, newer)]) == (errors.TooManyOfOneDeal, newer)
    assert refusal_together([(one, card), (other, terms(max_per_order=1))]) is None


def test_stacking_groups_do_not_mix_but_vouchers_without_one_join_any() -> None:
    tea, lunch, plain = terms(stacking_group="tea"), terms(stacking_group="lunch"), terms()

    assert refusal_together([(uuid4(), tea), (uuid4(), plain), (uuid4(), tea)]) is None
    assert refusal_together([(uuid4(), plain), (uuid4(), tea), (uuid4(), lunch)]) == (
        errors.VouchersDoNotCombine,
        lunch,
    )


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"uses_left": 1, "refunding": True}, "refunding"),
        ({"uses_left": 2, "uses_held": 1}, "held"),
        ({"uses_left": 1, "refunded": True}, "issued"),
        ({"refunded": True, "expired": True}, "refunded"),
        ({"expired": True}, "expired"),
        ({}, "used"),
    ],
)
def test_status_is_the_first_fact_that_holds(facts: dict[str, Any], status: str) -> None:
    nothing = {"uses_left": 0, "uses_held": 0, "refunding": False, "refunded": False, "expired": False}

    assert status_of(**{**nothing, **facts}) == status
