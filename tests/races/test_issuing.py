"""Several workers issuing the same purchases."""

import pytest
from django.db import IntegrityError

from orders.models import LedgerTransfer, Purchase
from orders.services import issuing
from orders.services.issuing import issue_paid
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.races.at_once import at_once, meet_after, meet_before
from vouchers.models import Voucher

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def twenty_paid() -> None:
    offer = factories.offer(factories.terms(factories.deal(factories.brand())))
    for _ in range(20):
        paid.purchase(offer=offer)


@pytest.fixture(autouse=True)
def _everybody_has_looked_before_anybody_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    meet_before(monkeypatch, issuing.code_numbers, "reserve_for")


def issue_ten() -> int:
    return issue_paid(limit=10, at=NOW)


@pytest.mark.usefixtures("twenty_paid")
def test_two_workers_share_the_work_and_issue_each_purchase_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, issuing, "_claim")

    assert at_once(issue_ten, issue_ten) == [10, 10]

    assert Voucher.objects.values("source_id").distinct().count() == Voucher.objects.count() == 20
    assert LedgerTransfer.objects.filter(kind="issue").count() == 20
    assert not Purchase.objects.exclude(status="issued").exists()


@pytest.mark.usefixtures("twenty_paid")
def test_control_without_the_claim_two_workers_take_the_same_purchases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CLAIM", issuing.CLAIM.replace("FOR NO KEY UPDATE SKIP LOCKED", ""))
    meet_after(monkeypatch, issuing, "_claim")

    answers = at_once(issue_ten, issue_ten)

    assert 10 in answers
    (lost,) = (answer for answer in answers if answer != 10)
    assert isinstance(lost, IntegrityError)
    assert "voucher_is_issued_once_per_source" in str(lost), "the last guard is the database's own"
