"""Folders at work on the same transfers, and transfers posted meanwhile."""

from uuid import uuid4

import pytest
from django.db import transaction

from orders.models import Account, LedgerTransfer
from orders.services import folding
from orders.services.folding import fold_transfers
from orders.services.ledger import Posting, balance, post
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from tests.races.at_once import GATE, at_once_through_the_gate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

# Every folder has taken its snapshot before the first one commits.
AT_THE_GATE = folding.FOLD.replace("WITH batch", f"WITH gate AS MATERIALIZED ({GATE}), batch").replace(
    "FROM batch WHERE", "FROM batch, gate WHERE"
)
assert AT_THE_GATE.count("gate") == 2


def issue(brand: Brand, count: int) -> None:
    with transaction.atomic():
        post([Posting(LedgerTransfer.Kind.ISSUE, brand.pk, 100, "purchase", uuid4()) for _ in range(count)], at=NOW)


def fold() -> int:
    return fold_transfers(limit=40, at=NOW).transfers


def test_four_folders_count_every_transfer_once_while_others_post(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "FOLD", AT_THE_GATE)
    brand = factories.brand()
    issue(brand, 100)

    answers = at_once_through_the_gate(fold, fold, fold, fold, lambda: issue(brand, 50), lambda: issue(brand, 50))

    liability = Account.objects.get(brand=brand, kind="voucher_liability")
    folded = LedgerTransfer.objects.filter(folded_at__isnull=False).count()
    assert sum(answers[:4]) == folded >= 100, "the folders shared the work instead of waiting for each other's"
    assert liability.folded_fen == 100 * folded
    assert balance(liability) == 20_000


def test_control_without_the_claim_two_folders_count_the_same_transfers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "FOLD", AT_THE_GATE.replace("FOR NO KEY UPDATE SKIP LOCKED", ""))
    brand = factories.brand()
    issue(brand, 40)

    assert at_once_through_the_gate(fold, fold) == [40, 40]

    assert Account.objects.get(brand=brand, kind="voucher_liability").folded_fen == 2 * 4_000
