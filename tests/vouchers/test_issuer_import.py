"""issuer_import takes a platform's vouchers into the same wallet when somebody shows them, each once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction

from stores.services import customers
from tests.factories import NOW
from tests.vouchers import counters, fake_platform
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers import errors
from vouchers.issuers.interface import UsePrice
from vouchers.models import IssuerAccount, IssuerDeal, IssuerVoucher, UseEnding, Voucher
from vouchers.queries import wallet
from vouchers.services import expiry, issuer_import, returns

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def platform(counter: Counter) -> Iterator[FakePlatform]:
    with fake_platform.connected(FakePlatform()) as platform:
        fake_platform.honoured_at(counter.store, platform)
        yield platform


def look_up(counter: Counter, text: str) -> list[Voucher]:
    return issuer_import.look_up(brand_id=counter.brand.id, store_id=counter.store.id, text=text, at=NOW)


def test_it_is_worth_what_the_platform_will_owe_use_by_use(counter: Counter, platform: FakePlatform) -> None:
    card = platform.sell(UsePrice(1_000, 100, 50), UsePrice(600, 0, 50))

    [voucher] = look_up(counter, card.code)

    assert (voucher.issuer, voucher.external_id, voucher.code) == ("douyin", card.external_id, card.code)
    assert (voucher.use_amounts_fen, voucher.paid_fen, voucher.uses_left) == ([1_100, 600], 1_700, 2)
    assert voucher.at_issuer.merchant_fen == [50, 50]
    assert (voucher.valid_from, voucher.valid_until) == (card.valid_from, card.valid_until)


def test_a_second_look_finds_the_same_voucher(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()

    first, again = look_up(counter, sold.code), look_up(counter, sold.external_id)

    assert first == again
    assert Voucher.objects.count() == IssuerVoucher.objects.count() == 1


def test_all_of_an_order_come_with_its_code(counter: Counter, platform: FakePlatform) -> None:
    one = platform.sell(order_external_id="o-1")
    other = platform.sell(order_external_id="o-1", buyer_external_id=one.buyer_external_id)

    found = look_up(counter, "qr:o-1")

    assert {voucher.external_id for voucher in found} == {one.external_id, other.external_id}
    assert len({voucher.customer_id for voucher in found}) == 1


def test_it_lies_in_the_wallet_of_who_bought_it(counter: Counter, platform: FakePlatform) -> None:
    with transaction.atomic():
        hers = customers.upsert(brand_id=counter.brand.id, provider="douyin", external_id="open-1", at=NOW).row
    sold = platform.sell(buyer_external_id="open-1")

    [voucher] = look_up(counter, sold.code)

    assert list(wallet.vouchers_of(hers.id)) == [voucher]


def test_a_code_that_nobody_says_is_found_by_its_name(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    object.__setattr__(sold, "code", "")

    [voucher] = look_up(counter, sold.external_id)

    assert voucher.code == sold.external_id


def test_what_the_platform_gave_back_is_refunded_here(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    look_up(counter, sold.code)
    platform.refund(sold)

    [voucher] = look_up(counter, sold.code)

    assert (voucher.status, voucher.uses_left) == ("refunded", 0)
    assert UseEnding.objects.get().refunded_at == NOW


def test_a_longer_validity_is_learned_and_a_shorter_one_is_not(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    look_up(counter, sold.code)
    for days, learned in ((60, 60), (10, 60)):
        object.__setattr__(platform.sold[sold.external_id].certificate, "valid_until", NOW + timedelta(days=days))
        [voucher] = look_up(counter, sold.code)
        assert voucher.valid_until == NOW + timedelta(days=learned)


def test_a_product_without_a_deal_is_named(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()
    IssuerDeal.objects.all().delete()

    with pytest.raises(errors.IssuerProductUnknown) as refusal:
        look_up(counter, sold.code)

    assert refusal.value.details["product"] == sold.product_external_id
    assert not Voucher.objects.exists()


def test_a_platform_the_brand_has_left_is_not_asked(counter: Counter, platform: FakePlatform) -> None:
    IssuerAccount.objects.update(ended_at=NOW)

    assert look_up(counter, platform.sell().code) == []
    assert not platform.heard


def test_when_it_expires_the_platform_refunds_it_and_we_do_not(counter: Counter, platform: FakePlatform) -> None:
    look_up(counter, platform.sell().code)

    assert expiry.expire_due(limit=9, at=NOW + timedelta(days=31)) == 1

    assert UseEnding.objects.get().refund_follows is False
    with transaction.atomic():
        assert returns.begin_refunds_of_expired(limit=9, at=NOW + timedelta(days=31)) == []


def test_its_refund_is_asked_for_where_it_was_bought(counter: Counter, platform: FakePlatform) -> None:
    [voucher] = look_up(counter, platform.sell().code)

    now = wallet.detail(voucher.customer_id, voucher.id, at=NOW).refund_now
    assert (now.amount_fen, type(now.refusal)) == (0, errors.RefundAtIssuer)
    with pytest.raises(errors.RefundAtIssuer), transaction.atomic():
        returns.begin_refund(voucher_id=voucher.id, customer_id=voucher.customer_id, at=NOW)
