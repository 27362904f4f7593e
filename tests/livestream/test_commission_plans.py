"""A commission plan is written once, reaches forward only, and ends once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from config.kernel.errors import IdempotencyConflict
from livestream.errors import (
    CommissionTimesInvalid,
    CommissionTooHigh,
    PromoterEnded,
    PromoterNotFound,
    SessionClosed,
    SessionNotFound,
)
from livestream.models import CommissionPlan
from livestream.queries import stage
from livestream.services import commission_plans
from stores.models import Brand
from stores.services.made import Made
from tests import factories
from tests.livestream.conftest import OPERATOR, acts

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)  # the stage's own look asks the database's clock what may still apply
HOUR = timedelta(hours=1)


def create(brand: Brand, **fields: Any) -> Made[CommissionPlan]:
    content: dict[str, Any] = {"promoter_rate_bps": 800, "provider_rate_bps": 200, "request_id": uuid4(), **fields}
    return commission_plans.create(brand_id=brand.id, by=OPERATOR, at=NOW, **content)


def rate(brand: Brand, code: str, *, at: datetime) -> int:
    session = factories.live_session(brand)
    found = stage().commission(brand_id=brand.id, session_id=session.id, promoter_code=code, at=at)
    return found.promoter_rate_bps


def test_the_same_request_is_the_same_plan_and_other_content_is_refused(brand: Brand) -> None:
    request_id = uuid4()
    first = create(brand, request_id=request_id)
    commission_plans.end(plan=first.row, by=OPERATOR, at=NOW + HOUR)

    again = create(brand, request_id=request_id)

    assert (first.is_new, again.is_new) == (True, False)
    assert again.row.ended_at == NOW + HOUR
    with pytest.raises(IdempotencyConflict):
        create(brand, request_id=request_id, promoter_rate_bps=801)


@pytest.mark.parametrize("rates", [(10_001, 0), (0, 10_001), (6_000, 4_001), (-1, 0)])
def test_rates_are_shares_and_together_at_most_everything(brand: Brand, rates: tuple[int, int]) -> None:
    promoter_rate_bps, provider_rate_bps = rates
    fields = {"promoter_rate_bps": promoter_rate_bps, "provider_rate_bps": provider_rate_bps}

    with pytest.raises(CommissionTooHigh):
        create(brand, **fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        CommissionPlan.objects.create(brand=brand, starts_at=NOW, created_at=NOW, **fields)


def test_everything_may_be_given_away(brand: Brand) -> None:
    assert create(brand, promoter_rate_bps=6_000, provider_rate_bps=4_000).is_new


def test_a_plan_does_not_reach_back(brand: Brand) -> None:
    for times in ({"starts_at": NOW - HOUR}, {"starts_at": NOW + HOUR, "ends_at": NOW + HOUR}, {"ends_at": NOW}):
        with pytest.raises(CommissionTimesInvalid):
            create(brand, **times)


def test_promoter_and_session_are_this_brands_and_not_over(brand: Brand) -> None:
    elsewhere = factories.brand()
    for fields, refusal in [
        ({"promoter_id": factories.promoter(elsewhere).id}, PromoterNotFound),
        ({"promoter_id": factories.promoter(brand, ended_at=NOW).id}, PromoterEnded),
        ({"session_id": factories.live_session(elsewhere).id}, SessionNotFound),
        ({"session_id": factories.live_session(brand, state="closed", closed_at=NOW).id}, SessionClosed),
    ]:
        with pytest.raises(refusal):
            create(brand, **fields)


def test_a_plan_ends_now_and_once(brand: Brand) -> None:
    promoter = factories.promoter(brand)
    plan = create(brand, promoter_id=promoter.id, ends_at=NOW + 3 * HOUR).row

    first, again = (commission_plans.end(plan=plan, by=OPERATOR, at=NOW + HOUR * n) for n in (1, 2))

    assert (first.ended_at, again.ended_at) == (NOW + HOUR, NOW + HOUR)
    assert acts(plan.id) == ["commission_plan.created", "commission_plan.ended"]
    assert rate(brand, promoter.code, at=NOW + HOUR - timedelta(seconds=1)) == 800
    assert rate(brand, promoter.code, at=NOW + HOUR) == 0


def test_a_plan_that_is_over_is_left_as_it_is(brand: Brand) -> None:
    plan = create(brand, ends_at=NOW + HOUR).row

    assert commission_plans.end(plan=plan, by=OPERATOR, at=NOW + HOUR).ended_at is None


def test_a_plan_ended_before_its_start_is_never_in_force(brand: Brand) -> None:
    promoter = factories.promoter(brand)
    plan = create(brand, promoter_id=promoter.id, starts_at=NOW + HOUR).row
    assert rate(brand, promoter.code, at=NOW + 2 * HOUR) == 800

    commission_plans.end(plan=plan, by=OPERATOR, at=NOW)

    assert rate(brand, promoter.code, at=NOW + 2 * HOUR) == 0


@pytest.mark.parametrize("change", [{"promoter_rate_bps": 900}, {"ends_at": NOW}, {"starts_at": NOW - HOUR}])
def test_the_database_lets_nobody_rewrite_a_plan(brand: Brand, change: dict[str, Any]) -> None:
    plan = create(brand).row

    with pytest.raises(IntegrityError), transaction.atomic():
        CommissionPlan.objects.filter(pk=plan.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        plan.delete()
