"""A refund after use: never more than the use's amount, charged to whoever is at fault, a line of its own."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.errors import IdempotencyConflict
from orders.errors import AfterUseTooMuch, NothingPaidHere, UseNotSettled
from orders.models import Account, Refund, Settlement, StoreStatement
from orders.services.settling import settle_uses
from tests import factories
from tests.factories import NOW
from tests.orders import settled
from tests.orders.settled import AFTER, owed
from tests.vouchers import granted
from tests.vouchers.counters import Counter
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound
from vouchers.models import Redemption
from vouchers.services.reversal import reverse
from vouchers.settlement import Fault

pytestmark = pytest.mark.django_db
Kind = Account.Kind
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def counter() -> Counter:
    return settled.counter()


def refund(counter: Counter, redemption: Redemption, amount_fen: int = 970, **fields: Any) -> Refund:
    return settled.refunded(redemption, amount_fen, **{"brand_id": counter.brand.pk, "at": TOMORROW, **fields})


def test_the_store_at_fault_is_charged_and_has_the_others_part_again(counter: Counter) -> None:
    redemption = settled.used(counter)
    settle_uses(at=AFTER)
    given = refund(counter, redemption)

    line = Settlement.objects.get(pk=given.pk)
    assert (line.paid_fen, line.entity_fen, line.promoter_fen, line.provider_fen) == (-970, -892, -58, -20)
    assert (line.business_date, line.booked_date, line.fault) == (date(2026, 6, 2), date(2026, 6, 2), "store")
    # The brand keeps its fee, which is all the store has lost: the rest was never its own.
    assert owed(counter, Kind.ENTITY_PAYABLE, counter.entity.pk) == 873 - 892
    assert owed(counter, Kind.PROMOTER_PAYABLE, line.promoter_id) == 0
    assert owed(counter, Kind.AGENCY_PAYABLE, line.promoter_id) == 0
    assert owed(counter, Kind.BRAND_SHARE) == 19
    assert owed(counter, Kind.REFUNDS_PAYABLE) == 970


def test_the_line_of_the_use_stays_as_it_was(counter: Counter) -> None:
    line = settled.settled(counter)
    refund(counter, Redemption.objects.get(), 100)

    assert Settlement.objects.get(pk=line.pk).entity_fen == 873
    assert list(StoreStatement.objects.order_by("day").values_list("day", "lines", "entity_fen")) == [
        (date(2026, 6, 1), 1, 873),
        (date(2026, 6, 2), 1, -93),
    ]


@pytest.mark.parametrize("fault", [Fault.BRAND, Fault.CUSTOMER])
def test_at_anothers_fault_the_store_keeps_what_it_has(counter: Counter, fault: Fault) -> None:
    redemption = settled.used(counter)
    settle_uses(at=AFTER)
    refund(counter, redemption, fault=fault)

    assert owed(counter, Kind.ENTITY_PAYABLE, counter.entity.pk) == 873
    assert owed(counter, Kind.BRAND_SHARE) == 19 - 892


def test_never_more_than_the_uses_amount(counter: Counter) -> None:
    redemption = settled.used(counter)
    settle_uses(at=AFTER)
    refund(counter, redemption, 700)

    with pytest.raises(AfterUseTooMuch) as refused:
        refund(counter, redemption, 271)
    assert refused.value.details["most_fen"] == 270
    refund(counter, redemption, 270)
    assert owed(counter, Kind.REFUNDS_PAYABLE) == 970


def test_a_repeat_finds_the_first_answer(counter: Counter) -> None:
    redemption, key = settled.used(counter), uuid4()
    settle_uses(at=AFTER)

    first = refund(counter, redemption, 500, request_id=key)
    assert refund(counter, redemption, 500, request_id=key) == first
    with pytest.raises(IdempotencyConflict):
        refund(counter, redemption, 501, request_id=key)


def test_a_use_that_is_due_is_settled_first(counter: Counter) -> None:
    redemption = settled.used(counter)
    refund(counter, redemption, 100, at=AFTER)

    assert Settlement.objects.count() == 2
    assert settle_uses(at=AFTER) == 0


def test_what_can_be_undone_is_undone_instead(counter: Counter) -> None:
    redemption = settled.used(counter)
    with pytest.raises(UseNotSettled):
        refund(counter, redemption, 100, at=NOW + timedelta(minutes=30))

    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=30))
    with pytest.raises(RedemptionAlreadyReversed):
        refund(counter, redemption)


def test_a_granted_use_has_nothing_to_give_back(counter: Counter) -> None:
    made = granted.grant(
        counter.terms(), granted.to(factories.customer(counter.brand)), by=granted.staff(counter.clerk)
    )
    granted.issue_all()
    counter.redeem(granted.vouchers_of(made)[0].code)
    with pytest.raises(NothingPaidHere):
        refund(counter, Redemption.objects.get(), 1)


def test_another_brands_use_is_not_there(counter: Counter) -> None:
    redemption = settled.used(counter)
    with pytest.raises(RedemptionNotFound):
        refund(settled.counter(), redemption)
