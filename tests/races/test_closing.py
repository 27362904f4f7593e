"""A store that closes while its vouchers are redeemed, and two last stores that close at once."""

from datetime import datetime
from typing import Any

import pytest
from django.db import transaction

from config.kernel.caller import MACHINE
from orders.invariants import auditing, slices
from orders.services import recalls
from orders.services.issuing import issue_paid
from stores.models import Brand, Product, Store
from stores.services import brands, opening
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.orders.world import leave_trail_of_captures
from tests.races.at_once import at_once, meet_after, meet_before
from tests.races.squeezed import Squeezed
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import Recall, Redemption, UseEnding, Voucher
from vouchers.queries import open_vouchers
from vouchers.services import endings, returns, withdrawing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def bought(counter: Counter, count: int) -> list[Voucher]:
    terms = counter.terms(store_scope={"stores": [counter.store.public_id]})
    purchase = paid.purchase(brand=counter.brand, terms=terms, quantity=count)
    issue_paid(limit=10, at=NOW)
    with transaction.atomic():
        leave_trail_of_captures()
    return list(Voucher.objects.filter(source_id=purchase.pk))


def broken() -> set[str]:
    with auditing.one_snapshot():
        return {rule for result in auditing.look(slices.whole()) for rule in result.broken}


def test_every_voucher_is_either_redeemed_or_given_back(counter: Counter) -> None:
    vouchers = bought(counter, 12)

    def close() -> None:
        opening.close(store_id=counter.store.pk, reason="租约到期", by=MACHINE, at=NOW)
        while recalls.refund_recalled(limit=3, at=NOW):
            pass

    at_once(close, *((lambda code=voucher.code: counter.redeem(code)) for voucher in vouchers))
    while recalls.refund_recalled(limit=3, at=NOW):
        pass

    redeemed = set(Redemption.objects.values_list("voucher_id", flat=True))
    ended = set(UseEnding.objects.values_list("voucher_id", flat=True))
    assert redeemed | ended == {voucher.pk for voucher in vouchers}
    assert not redeemed & ended
    assert broken() == set()


def given_back_while_redeeming(counter: Counter, voucher: Voucher, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The clerk's request is squeezed in after the claim and before the use ends."""
    Recall.objects.create(
        brand=counter.brand, terms_id=voucher.terms_id, cause="store_closed", subject_id=counter.store.pk, begun_at=NOW
    )
    inner = Squeezed(lambda: counter.redeem(voucher.code))
    end = endings.refund_free_uses_of

    def squeezed(vouchers: list[Voucher], *, at: datetime) -> list[UseEnding]:
        inner.begin()
        return end(vouchers, at=at)

    monkeypatch.setattr(endings, "refund_free_uses_of", squeezed)
    taken = recalls.refund_recalled(limit=10, at=NOW)
    return taken, inner.answer()


def test_a_redemption_waits_for_the_claim_and_is_refused(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    [voucher] = bought(counter, 1)

    taken, answer = given_back_while_redeeming(counter, voucher, monkeypatch)

    assert (taken, type(answer).__name__) == (1, "VoucherRefunded")
    assert not Redemption.objects.exists()


def test_control_without_the_vouchers_lock_a_used_voucher_is_taken_for_given_back(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    [voucher] = bought(counter, 1)

    def unlocked(terms_ids: Any, *, limit: int) -> list[Voucher]:
        return list(Voucher.objects.filter(terms_id__in=terms_ids, status="issued")[:limit])

    monkeypatch.setattr(returns, "claim_open", unlocked)

    _, answer = given_back_while_redeeming(counter, voucher, monkeypatch)

    assert type(answer).__name__ == "Redeemed"
    voucher.refresh_from_db()
    assert voucher.status != "used", "the claim wrote over what the clerk had done"
    assert "voucher_status_follows_its_facts" in broken()


def last_two_stores() -> list[Store]:
    brand = factories.brand()
    stores = [factories.store(brand) for _ in range(2)]
    factories.terms(factories.deal(brand), store_scope={"stores": [store.public_id for store in stores]})
    return stores


def closing(store: Store) -> Any:
    return lambda: opening.close(store_id=store.pk, reason="租约到期", by=MACHINE, at=NOW)


def test_of_the_last_two_stores_the_later_one_recalls_their_terms() -> None:
    at_once(*(closing(store) for store in last_two_stores()))

    assert Recall.objects.count() == 1


def test_control_without_the_brands_lock_each_relies_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, open_vouchers, "only_at")
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))

    at_once(*(closing(store) for store in last_two_stores()))

    assert Store.objects.filter(status="closed").count() == 2
    assert not Recall.objects.exists(), "nobody gives their vouchers back"


def two_choices() -> list[Product]:
    brand = factories.brand()
    products = [factories.product(brand) for _ in range(2)]
    items = [{"product": product.public_id, "count": 1} for product in products]
    groups = [{"name": "主饮", "choose": 1, "items": items}]
    factories.terms(factories.deal(brand, kind="package"), package_groups=groups)
    return products


def withdrawing_it(product: Product) -> Any:
    return lambda: withdrawing.withdraw_with_refund(product_id=product.pk, reason="换季", by=MACHINE, at=NOW)


def test_of_a_packages_last_two_choices_the_later_one_recalls_it() -> None:
    at_once(*(withdrawing_it(product) for product in two_choices()))

    assert Recall.objects.count() == 1


def test_control_without_the_brands_lock_each_choice_relies_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    meet_before(monkeypatch, withdrawing, "_withdraw")
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))

    at_once(*(withdrawing_it(product) for product in two_choices()))

    assert Product.objects.filter(withdrawn_at__isnull=False).count() == 2
    assert not Recall.objects.exists(), "nobody gives its vouchers back"
