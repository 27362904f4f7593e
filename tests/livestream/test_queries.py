"""Commission: the narrowest plan in force wins, and a stale link costs no sale."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from livestream.queries import NO_COMMISSION, Commission, Plan, Stage
from tests.factories import NOW

BRAND, SESSION, PROMOTER = uuid4(), uuid4(), uuid4()


def plan(rate_bps: int, **fields: Any) -> Plan:
    return Plan(
        **{
            "brand_id": BRAND,
            "promoter_id": None,
            "session_id": None,
            "promoter_rate_bps": rate_bps,
            "provider_rate_bps": 0,
            "starts_at": NOW,
            "ends_at": None,
            "created_at": NOW,
            **fields,
        }
    )


def commission(*plans: Plan, code: str = "aqing", session_id: UUID = SESSION, at: Any = NOW) -> Commission:
    stage = Stage(sessions={}, listings=[], stopped=frozenset(), promoters={(BRAND, "aqing"): PROMOTER}, plans=plans)
    return stage.commission(brand_id=BRAND, session_id=session_id, promoter_code=code, at=at)


def test_her_own_plan_wins_over_anybodys_and_a_sessions_over_all() -> None:
    anybody, here = plan(100), plan(200, session_id=SESSION)
    hers, hers_here = plan(300, promoter_id=PROMOTER), plan(400, promoter_id=PROMOTER, session_id=SESSION)

    assert commission(anybody).promoter_rate_bps == 100
    assert commission(anybody, here).promoter_rate_bps == 200
    assert commission(here, hers).promoter_rate_bps == 300
    assert commission(hers_here, hers, here, anybody).promoter_rate_bps == 400
    assert commission(hers_here, hers, session_id=uuid4()).promoter_rate_bps == 300


def test_of_equals_the_newest_wins() -> None:
    assert commission(plan(100, created_at=NOW + timedelta(days=1)), plan(200)).promoter_rate_bps == 100


def test_a_plan_holds_from_its_start_and_before_its_end() -> None:
    dated = plan(100, ends_at=NOW + timedelta(hours=1))

    assert commission(dated, at=NOW - timedelta(seconds=1)).promoter_rate_bps == 0
    assert commission(dated, at=NOW).promoter_rate_bps == 100
    assert commission(dated, at=NOW + timedelta(hours=1)).promoter_rate_bps == 0


def test_an_unknown_code_counts_for_nobody() -> None:
    assert commission(plan(100), code="stranger") == NO_COMMISSION


def test_a_promoter_without_a_plan_is_named_at_rate_zero() -> None:
    assert commission() == Commission(PROMOTER, 0, 0)


def test_another_brands_plan_does_not_count() -> None:
    assert commission(plan(100, brand_id=uuid4())).promoter_rate_bps == 0
