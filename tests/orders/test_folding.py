"""Folding transfers into balances."""

from uuid import uuid4

import pytest

from orders.models import Account, LedgerTransfer
from orders.services.folding import Folded, fold_transfers
from orders.services.ledger import Posting, balance, post
from stores.models import Brand
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def issue(brand: Brand, *amounts_fen: int) -> None:
    post([Posting(LedgerTransfer.Kind.ISSUE, brand.pk, fen, "purchase", uuid4()) for fen in amounts_fen], at=NOW)


def folded_fen(brand: Brand) -> dict[str, int]:
    return dict(Account.objects.filter(brand=brand).values_list("kind", "folded_fen"))


def test_folding_moves_transfers_into_the_stored_balance_and_changes_no_balance() -> None:
    brand = factories.brand()
    issue(brand, 100, 20, 3)
    before = {account.kind: balance(account) for account in Account.objects.all()}

    assert fold_transfers(limit=10, at=NOW) == Folded(transfers=3, accounts=2)

    assert folded_fen(brand) == {"prepaid_unissued": -123, "voucher_liability": 123} == before
    assert {account.kind: balance(account) for account in Account.objects.all()} == before


def test_a_batch_is_bounded_and_the_oldest_go_first() -> None:
    brand = factories.brand()
    issue(brand, 100, 20, 3)

    fold_transfers(limit=2, at=NOW)

    assert folded_fen(brand)["voucher_liability"] == 120
    assert balance(Account.objects.get(brand=brand, kind="voucher_liability")) == 123


def test_a_transfer_is_folded_once() -> None:
    brand = factories.brand()
    issue(brand, 100)
    fold_transfers(limit=10, at=NOW)

    assert fold_transfers(limit=10, at=NOW) == Folded(transfers=0, accounts=0)
    assert folded_fen(brand)["voucher_liability"] == 100


def test_brands_fold_together_each_into_its_own() -> None:
    one, other = factories.brand(), factories.brand()
    issue(one, 100)
    issue(other, 7)

    assert fold_transfers(limit=10, at=NOW) == Folded(transfers=2, accounts=4)
    assert (folded_fen(one)["voucher_liability"], folded_fen(other)["voucher_liability"]) == (100, 7)


def test_a_transfer_to_nowhere_stops_the_fold() -> None:
    LedgerTransfer.objects.create(
        brand_id=uuid4(),
        debit_id=uuid4(),
        credit_id=uuid4(),
        amount_fen=1,
        kind="issue",
        source_kind="purchase",
        source_id=uuid4(),
        occurred_at=NOW,
    )

    with pytest.raises(AssertionError, match="does not exist"):
        fold_transfers(limit=10, at=NOW)
