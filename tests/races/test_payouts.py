"""Two payout batches at once: what is owed is sent once."""

import threading

import pytest

from orders.models import Account, Payout
from orders.services import ledger, payouts
from stores.models import Brand
from tests import factories
from tests.orders import paying_out
from tests.races.at_once import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def pending(brand: Brand) -> int:
    return ledger.balance(Account.objects.get(brand=brand, kind="payouts_pending"))


def test_two_batches_at_once_pay_once() -> None:
    brand = factories.brand()
    paying_out.entity(brand, 500)

    at_once(lambda: paying_out.batch(brand), lambda: paying_out.batch(brand))

    assert (Payout.objects.count(), pending(brand)) == (1, 500)


def test_without_the_lock_both_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: both look at the balance before either has taken it."""
    brand = factories.brand()
    paying_out.entity(brand, 500)
    looked, balances = threading.Barrier(2), payouts.balances
    monkeypatch.setattr(payouts, "lock", lambda brand_id: None)
    monkeypatch.setattr(payouts, "balances", lambda brand_id: (balances(brand_id), looked.wait(60))[0])

    at_once(lambda: paying_out.batch(brand), lambda: paying_out.batch(brand))

    assert (Payout.objects.count(), pending(brand)) == (2, 1_000)
