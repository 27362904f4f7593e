"""What a counter hands over leaves the store's stock with the redemption, and comes back with its undoing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.models import AuditEntry
from stores.errors import ProductSoldOut
from stores.models import DailyTally, Product, StockLevel, StockMovement, StockReservation
from stores.services import stock_settling
from tests import factories
from tests.factories import NOW
from tests.stores import stocked
from tests.vouchers import counters, fake_platform
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers.models import DealTerms, Redemption
from vouchers.queries.answers import Redeemed
from vouchers.services.issuer_redemption import redeem_wherever
from vouchers.services.redemption import redeem_own
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def package(counter: Counter, *items: tuple[Product, int], choose: int | None = None) -> DealTerms:
    named = [{"product": product.public_id, "count": count} for product, count in items]
    groups = [{"name": "主饮", "choose": choose or len(named), "items": named}]
    return counter.terms(kind="package", package_groups=groups)


def card(counter: Counter, **product_scope: Any) -> DealTerms:
    return counter.terms(
        kind="times_card", list_price_fen=600, use_list_fen=[300, 200, 100], product_scope=product_scope
    )


def level(product: Product) -> tuple[int, int]:
    row = StockLevel.objects.get(product=product)
    return row.on_hand, row.reserved


def settle() -> int:
    return stock_settling.settle(limit=100, at=LATER).lines


def test_a_package_without_a_choice_takes_what_is_in_it(counter: Counter) -> None:
    tea, cake = (stocked.keep(counter.store, "counted") for _ in range(2))

    counter.redeem(counter.voucher(package(counter, (tea, 2), (cake, 1))).code)

    redemption = Redemption.objects.get()
    taken = StockReservation.objects.filter(source_kind="redemption", source_id=redemption.id)
    assert sorted(taken.values_list("quantity", "state", "business_date")) == [
        (1, "open", redemption.business_date),
        (2, "open", redemption.business_date),
    ]
    assert (level(tea), level(cake)) == ((10, 2), (10, 1))
    assert settle() == 2
    assert (level(tea), level(cake)) == ((8, 0), (9, 0))


def test_a_card_for_one_product_takes_one_a_use(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted")
    voucher = counter.voucher(card(counter, products=[tea.public_id]))

    counter.redeem(voucher.code, voucher.code)

    assert level(tea) == (10, 2)
    assert StockReservation.objects.count() == 2, "each use is its own redemption"


def test_where_she_chooses_nobody_knows_what_was_taken(counter: Counter) -> None:
    tea, milk = (stocked.keep(counter.store, "counted") for _ in range(2))

    counter.redeem(counter.voucher(package(counter, (tea, 1), (milk, 1), choose=1)).code)
    counter.redeem(counter.voucher(card(counter, products=[tea.public_id, milk.public_id])).code)
    counter.redeem(counter.voucher(card(counter, everything=True)).code)
    counter.redeem(counter.voucher().code)

    assert not StockReservation.objects.exists()


def test_a_product_that_is_not_counted_here_takes_nothing(counter: Counter) -> None:
    counter.redeem(counter.voucher(package(counter, (factories.product(counter.brand), 1))).code)

    assert not StockReservation.objects.exists()


def test_what_has_run_out_is_handed_over_all_the_same_and_the_level_is_short(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted", units=1)
    limited = stocked.keep(counter.store, "daily_limit", units=1)

    for _ in range(2):
        counter.redeem(counter.voucher(package(counter, (tea, 1), (limited, 1))).code)

    assert level(tea) == (1, 2)
    assert StockLevel.objects.get(product=tea).is_short
    assert DailyTally.objects.get(product=limited).taken == 2
    settle()
    assert level(tea) == (-1, 0)


@pytest.mark.parametrize("is_settled", [False, True])
def test_undoing_puts_it_back(counter: Counter, is_settled: bool) -> None:
    tea = stocked.keep(counter.store, "counted")
    counter.redeem(counter.voucher(package(counter, (tea, 2))).code)
    if is_settled:
        settle()

    reverse(redemption_id=Redemption.objects.get().id, operator=counter.clerk, request_id=uuid4(), at=LATER)

    assert (level(tea), settle()) == ((10, 0), 0)
    kinds = StockMovement.objects.filter(source_kind="redemption").order_by("id").values_list("kind", "quantity")
    assert list(kinds) == ([("sale", -2), ("put_back", 2)] if is_settled else [])


def test_a_repeated_request_takes_once(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted")
    voucher, request_id = counter.voucher(package(counter, (tea, 1))), uuid4()

    for _ in range(2):
        counter.redeem(voucher.code, request_id=request_id)

    assert level(tea) == (10, 1)


def test_from_her_wallet_it_is_the_same(counter: Counter) -> None:
    tea = stocked.keep(counter.store, "counted")
    hers = counter.voucher(package(counter, (tea, 1)))

    redeem_own(
        customer_id=hers.customer_id,
        voucher_ids=[hers.id],
        store=counter.store,
        bill_fen=None,
        request_id=uuid4(),
        at=NOW,
    )

    assert level(tea) == (10, 1)


# --- a brand that hands over only what is there -----------------------------------------------------


def needs_stock(counter: Counter) -> None:
    counter.brand.counter_needs_stock = True
    counter.brand.save(update_fields=["counter_needs_stock"])


def test_of_one_batch_those_are_refused_for_whom_nothing_is_left(counter: Counter) -> None:
    needs_stock(counter)
    tea = stocked.keep(counter.store, "counted", units=3)
    two = counter.vouchers(package(counter, (tea, 2)), count=2)
    one, cash = counter.voucher(package(counter, (tea, 1))), counter.voucher()

    answers = counter.batch(*[counter.request(voucher.code) for voucher in (*two, one, cash)])

    assert [type(answer) for answer in answers] == [Redeemed, ProductSoldOut, Redeemed, Redeemed]
    assert isinstance(answers[1], ProductSoldOut)
    assert answers[1].details["product"] == tea.public_id
    assert level(tea) == (3, 3)
    two[1].refresh_from_db()
    assert (two[1].status, two[1].uses_left) == ("issued", 1)
    assert AuditEntry.objects.filter(act="voucher.redeem").count() == 3


def test_a_limit_a_day_is_kept_there_too(counter: Counter) -> None:
    needs_stock(counter)
    tea = stocked.keep(counter.store, "daily_limit", units=1)
    first, second = counter.vouchers(package(counter, (tea, 1)), count=2)
    counter.redeem(first.code)

    with pytest.raises(ProductSoldOut):
        counter.redeem(second.code)

    assert DailyTally.objects.get().taken == 1


@pytest.mark.django_db(transaction=True)  # the platform is called between two transactions
def test_what_another_platform_redeemed_is_taken_whatever_is_left(counter: Counter) -> None:
    """It said yes, and the person stands there."""
    needs_stock(counter)
    tea = stocked.keep(counter.store, "counted", units=0)
    with fake_platform.connected(FakePlatform()) as platform:
        fake_platform.honoured_at(counter.store, platform, terms=package(counter, (tea, 1)))

        redeem_wherever(counter.request(platform.sell().code), at=NOW)

    assert level(tea) == (0, 1)
