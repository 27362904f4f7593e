"""Terms published or amended while what they rely on goes: a store that closes, a product that is withdrawn."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from config.kernel.caller import MACHINE
from stores.models import Brand, Product, Store
from stores.services import brands, opening
from tests import factories
from tests.factories import NOW
from tests.races.squeezed import squeeze
from vouchers.errors import TermsInvalid
from vouchers.models import Amendment, Deal, DealTerms, Recall
from vouchers.queries import open_vouchers
from vouchers.services import amendments, deals, withdrawing
from vouchers.services.deals import NewTerms

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def brand() -> Brand:
    brand = factories.brand()
    factories.store(brand)
    return brand


@pytest.fixture
def store(brand: Brand) -> Store:
    return factories.store(brand)


@pytest.fixture
def deal(brand: Brand) -> Deal:
    return factories.deal(brand)


def without_the_brands_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))


def publish(deal: Deal, **fields: Any) -> DealTerms:
    new = NewTerms(title="20 元代金券", list_price_fen=2_000, face_value_fen=2_000, usable_days=30, **fields)
    return deals.publish_terms(deal=deal, new=new, by=MACHINE, at=NOW).row


def closing(store: Store) -> Callable[[], Store]:
    return lambda: opening.close(store_id=store.pk, reason="租约到期", by=MACHINE, at=NOW)


def recalled() -> set[UUID]:
    return set(Recall.objects.values_list("terms_id", flat=True))


def published_while_closing(deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch) -> DealTerms:
    close = squeeze(monkeypatch, deals, "check_reach", closing(store))
    terms = publish(deal, store_scope={"stores": [store.public_id]})
    assert close.answer().status == "closed"
    return terms


def test_a_closing_store_waits_for_terms_and_recalls_them(
    deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = published_while_closing(deal, store, monkeypatch)

    assert recalled() == {terms.pk}


def test_control_without_the_brands_lock_terms_live_that_no_store_honours(
    deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_brands_lock(monkeypatch)

    published_while_closing(deal, store, monkeypatch)

    assert recalled() == set()


def published_while_withdrawing(deal: Deal, brand: Brand, monkeypatch: pytest.MonkeyPatch) -> DealTerms:
    product = factories.product(brand)
    withdraw = squeeze(monkeypatch, deals, "check_reach", lambda: withdrawn(product))
    terms = publish(deal, product_scope={"products": [product.public_id]})
    assert withdraw.answer().withdrawn_at == NOW
    return terms


def withdrawn(product: Product) -> Product:
    return withdrawing.withdraw_with_refund(product_id=product.pk, reason="换季", by=MACHINE, at=NOW)


def test_a_withdrawal_waits_for_terms_and_recalls_them(
    deal: Deal, brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = published_while_withdrawing(deal, brand, monkeypatch)

    assert recalled() == {terms.pk}


def test_control_without_the_brands_lock_terms_live_whose_product_is_gone(
    deal: Deal, brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_brands_lock(monkeypatch)

    published_while_withdrawing(deal, brand, monkeypatch)

    assert recalled() == set()


def test_terms_wait_for_a_closing_store_and_are_refused(
    deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = {"stores": [store.public_id]}
    publishing = squeeze(monkeypatch, open_vouchers, "only_at", lambda: publish(deal, store_scope=scope))

    closing(store)()

    assert isinstance(publishing.answer(), TermsInvalid)
    assert not DealTerms.objects.exists()


def amended_while_closing(deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms of one store are honoured by another from now on; the first closes before that has committed."""
    terms = factories.terms(deal, store_scope={"stores": [store.public_id]})
    wider = {"store_scope": {"stores": [store.public_id, factories.store(deal.brand).public_id]}}
    close = squeeze(monkeypatch, amendments, "check_named", closing(store))
    made = amendments.publish(terms=terms, changes=wider, reason="x", request_id=uuid4(), by=MACHINE, at=NOW)
    assert isinstance(made.row, Amendment)
    assert close.answer().status == "closed"


def test_a_closing_store_waits_for_an_amendment_that_saves_the_terms(
    deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    amended_while_closing(deal, store, monkeypatch)

    assert recalled() == set()


def test_control_without_the_brands_lock_what_was_saved_is_given_back(
    deal: Deal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_brands_lock(monkeypatch)

    amended_while_closing(deal, store, monkeypatch)

    assert recalled() == set(DealTerms.objects.values_list("id", flat=True))
