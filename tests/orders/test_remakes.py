"""A remake: made out of the store's stock, once, and at the cost of who bears it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from orders.models import AfterSaleCase, LedgerTransfer, Settlement, StoreStatement
from orders.services import cases, settling
from orders.services.issuing import issue_paid
from stores.models import Product, StockLevel, StockMovement
from stores.services import consuming, stock_settling
from tests import factories
from tests.factories import NOW
from tests.orders import ordering, paid
from tests.orders.test_cases import AGENT, MANAGER, complaint, opened, used
from tests.stores import stocked
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, post
from vouchers.errors import RedemptionAlreadyReversed
from vouchers.models import DealTerms, Redemption, Voucher
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db(transaction=True)

SOON = NOW + timedelta(minutes=5)
TOMORROW = NOW + timedelta(days=1)
Fault, Outcome = AfterSaleCase.Fault, AfterSaleCase.Outcome
HALF = [{"share_bps": 5_000}]
AT_THE_BRANDS_COST = [{"share_bps": 5_000, "remakes_by": "brand"}]


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def redeemed(counter: Counter, **terms: Any) -> Redemption:
    """A use bought at ¥20 of terms by which the store gets half of it."""
    made: DealTerms = counter.terms(**{"settlement_rules": HALF, **terms})
    bought = paid.purchase(brand=counter.brand, terms=made, unit_price_fen=2_000)
    issue_paid(limit=10, at=NOW)
    counter.redeem(Voucher.objects.get(source_id=bought.pk).code)
    return Redemption.objects.get(voucher__source_id=bought.pk)


def remade(redemption: Redemption, fault: AfterSaleCase.Fault = Fault.STORE, **fields: Any) -> AfterSaleCase:
    return opened(redemption, outcome=Outcome.REMAKE, fault=fault, amount_fen=None, **{"at": SOON, **fields})


def package(counter: Counter, product: Product, count: int = 1) -> dict[str, Any]:
    item = {"product": product.public_id, "count": count}
    return {"kind": "package", "package_groups": [{"name": "主饮", "choose": 1, "items": [item]}]}


def moved(case: AfterSaleCase) -> list[tuple[str, int]]:
    stock_settling.settle(at=TOMORROW)
    consuming.consume(at=TOMORROW)
    rows = StockMovement.objects.filter(source_id=case.pk, source_kind="remake").order_by("kind")
    return list(rows.values_list("kind", "quantity"))


# --- stock ------------------------------------------------------------------------------------------


def test_a_package_is_made_again_from_the_shelf_once(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted", units=10)
    milk = stocked.made_of(counter.store, tea, 100)
    redemption = redeemed(counter, **package(counter, tea, 2))

    case = remade(redemption)

    assert moved(case) == [("consumed", -200), ("remake", -2)]
    assert moved(case) == [("consumed", -200), ("remake", -2)], "and not again"
    on_hand = {level.product_id: level.on_hand for level in StockLevel.objects.all()}
    assert (on_hand[tea.id], on_hand[milk.id]) == (6, 600), "the first two as well"


def test_of_an_order_the_cups_that_the_use_paid_for_are_made_again_as_they_were(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted", units=10)
    other = stocked.keep(counter.store, "counted", units=10)
    voucher = counter.voucher()
    order = ordering.place(counter, ordering.priced((tea, 3), (other, 1), uses=[(voucher, 1, 2_000)]))
    ordering.pay(order)

    case = remade(Redemption.objects.get())

    assert moved(case) == [("remake", -2)], "¥20 off cups of ¥19"


def test_where_the_customer_chose_at_the_counter_nothing_is_known_to_be_taken(counter: Counter) -> None:
    stocked.keep(counter.store, "counted")

    assert moved(remade(used(counter))) == []


def test_a_case_that_waits_takes_nothing_until_it_is_approved(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted", units=10)
    terms = {**package(counter, tea), "list_price_fen": 5_000, "use_list_fen": [5_000]}
    bought = paid.purchase(brand=counter.brand, terms=counter.terms(**terms), unit_price_fen=5_000)
    issue_paid(limit=10, at=NOW)
    counter.redeem(Voucher.objects.get(source_id=bought.pk).code)

    waiting = remade(Redemption.objects.get())
    assert (waiting.status, moved(waiting), Settlement.objects.count()) == ("awaiting_approval", [], 0)
    for _ in range(2):
        cases.approve(case=waiting, by=MANAGER, at=SOON)

    assert (moved(waiting), Settlement.objects.count()) == ([("remake", -1)], 1)


# --- money ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "fault", "entity_fen"),
    [
        (HALF, Fault.STORE, 0),
        (HALF, Fault.BRAND, 1_000),
        (HALF, Fault.PLATFORM, 1_000),
        (AT_THE_BRANDS_COST, Fault.STORE, 1_000),
        ([], Fault.BRAND, 2_000),
    ],
)
@pytest.mark.parametrize("is_settled", [False, True])
def test_it_is_paid_for_by_who_bears_it(
    counter: Counter, rules: list[Any], fault: AfterSaleCase.Fault, entity_fen: int, is_settled: bool
) -> None:
    redemption = redeemed(counter, settlement_rules=rules)
    if is_settled:
        settling.settle_uses(at=TOMORROW)

    case = remade(redemption, fault, at=TOMORROW if is_settled else SOON)

    line = Settlement.objects.get(pk=case.pk)
    assert (line.source_kind, line.fault) == ("remake", "store" if fault == Fault.STORE else "brand")
    assert (line.paid_fen, line.entity_fen, line.brand_fen) == (0, entity_fen, -entity_fen)
    transfers = LedgerTransfer.objects.filter(source_id=case.pk).values_list("kind", "amount_fen")
    assert list(transfers) == ([("remake_share", entity_fen)] if entity_fen else [])
    statement = StoreStatement.objects.get(store=counter.store, day=line.booked_date)
    first_fen = Settlement.objects.get(pk=redemption.pk).entity_fen if is_settled else 0
    assert statement.entity_fen == entity_fen + (first_fen if statement.lines == 2 else 0)


def test_an_undone_use_is_not_made_again(counter: Counter) -> None:
    redemption = redeemed(counter)
    terms = {"may_approve": False, "by": AGENT, "request_id": redemption.pk, "at": SOON}
    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=SOON)

    with pytest.raises(RedemptionAlreadyReversed):
        cases.open_case(
            brand_id=counter.brand.pk,
            complaint=complaint(redemption, outcome=Outcome.REMAKE, amount_fen=None),
            **terms,
        )


def test_a_remake_is_asked_for_over_http(counter: Counter) -> None:
    redemption = redeemed(counter)
    agent = as_staff(factories.staff(counter.brand, role="customer_service").user)
    body = {"redemption": redemption.public_id, "reason": "洒了", "fault": "brand", "outcome": "remake"}
    key = uuid4()

    first, again = (post("after-sale/cases", agent, body, key=key) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["status"] == "done"
    assert Settlement.objects.get(source_kind="remake").entity_fen == 1_000
