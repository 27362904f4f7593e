"""How long one verdict takes, in process: the rules of one voucher at one store."""

import timeit
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from tests.bench.report import Figure
from vouchers.verdict import StoreScope, Terms, refusal_of

CALLS = 20_000
ROUNDS = 15
NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A store three regions deep, in two groups."""

    store_id: UUID
    region_ids: frozenset[UUID]
    group_ids: frozenset[UUID]
    is_dearer: bool = True
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Held:
    """A voucher in the middle of its validity."""

    valid_from: datetime = NOW - timedelta(days=1)
    valid_until: datetime = NOW + timedelta(days=1)
    status: str = "issued"
    uses_left: int = 1
    uses_held: int = 0
    extensions: int = 0


def verdict() -> Iterator[Figure]:
    """``verdict_us``: everything that terms can say, nothing of which refuses, so that every rule is looked at."""
    place = Place(uuid4(), frozenset(uuid4() for _ in range(3)), frozenset(uuid4() for _ in range(2)))
    every_day = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    rules = Terms(
        id=uuid4(),
        deal_id=uuid4(),
        brand_id=uuid4(),
        number=1,
        kind="discount",
        title="全部规则",
        use_list_fen=(2_000,),
        face_value_fen=None,
        discount_rate_bps=2_000,
        discount_cap_fen=1_000,
        min_spend_fen=2_000,
        usable_from=None,
        usable_until=None,
        usable_days=30,
        weekdays=frozenset({1, 2, 3}),
        day_spans=((600, 660), (700, 720), (720, 1_560)),
        blackout_dates=frozenset(every_day[200:230]),
        scope=StoreScope(
            everywhere=False,
            regions=frozenset(uuid4() for _ in range(50)),
            groups=place.group_ids,
            except_stores=frozenset(uuid4() for _ in range(500)),
            except_groups=frozenset(uuid4() for _ in range(5)),
        ),
        stacking_group="tea",
        max_per_order=2,
        refundable_unused=True,
        refunds_on_expiry=True,
        special_dates=frozenset(every_day[300:330]),
        listed_days=dict.fromkeys(every_day[100:140], True),
        holiday_rule="excluded",
        dearer_stores="pay_difference",
    )
    held = Held()
    assert refusal_of(held, rules, store=place, bill_fen=5_000, at=NOW) is None
    seconds = timeit.repeat(
        lambda: refusal_of(held, rules, store=place, bill_fen=5_000, at=NOW), number=CALLS, repeat=ROUNDS
    )
    conditions = f"median of {ROUNDS} rounds of {CALLS:,} calls, one voucher at one store, every kind of rule set"
    yield Figure("verdict_us", round(sorted(seconds)[ROUNDS // 2] / CALLS * 1e6, 2), "µs", conditions)
