"""Several workers on one grant; a reversal against redemptions, workers and itself."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError

from config.kernel.errors import DomainError
from stores.models import Customer, CustomerIdentity
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once, meet_after, meet_before
from tests.races.squeezed import squeeze
from tests.vouchers import counters, granted
from tests.vouchers.counters import Counter
from vouchers import errors
from vouchers.models import Grant, GrantBatch, Redemption, UseEnding, Voucher
from vouchers.services import code_numbers, grant_issuing, grant_reversal, grants
from vouchers.services.grant_issuing import issue_granted
from vouchers.services.grant_reversal import reverse_granted
from vouchers.services.grants import Audience

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def a_grant(counter: Counter, customers: int = 1) -> Grant:
    everybody = [factories.customer(counter.brand) for _ in range(customers)]
    return granted.grant(counter.terms(), granted.to(*everybody))


def reverse(grant: Grant) -> None:
    grants.reverse(grant=grant, request_id=uuid4(), by=granted.staff(factories.user()), at=LATER)


def claim_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have claimed before either issues."""
    meet_after(monkeypatch, grant_issuing, "_claim")


def reserve_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen work before either claims it."""
    meet_before(monkeypatch, code_numbers, "reserve")


def work() -> int:
    return issue_granted(at=NOW)


def test_two_workers_issue_a_batch_once(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    a_grant(counter)
    reserve_together(monkeypatch)
    claim_together(monkeypatch)

    assert sorted(at_once(work, work)) == [0, 1]

    assert Voucher.objects.count() == 1


def test_two_workers_share_the_batches(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "BATCH_VOUCHERS", 1)
    a_grant(counter, customers=2)
    reserve_together(monkeypatch)
    claim_together(monkeypatch)

    assert at_once(work, work) == [1, 1]

    assert Voucher.objects.values("customer_id").distinct().count() == Voucher.objects.count() == 2


def test_control_without_the_claim_two_workers_issue_the_same_batch(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_grant(counter)
    monkeypatch.setattr(grant_issuing, "CLAIM", grant_issuing.CLAIM.replace("FOR NO KEY UPDATE OF b SKIP LOCKED", ""))
    reserve_together(monkeypatch)
    claim_together(monkeypatch)

    answers = at_once(work, work)

    assert 1 in answers
    [lost] = (answer for answer in answers if answer != 1)
    assert isinstance(lost, IntegrityError)
    assert "voucher_is_issued_once_per_source" in str(lost), "the last guard is the database's own"


def test_one_request_that_comes_twice_at_once_is_one_grant(counter: Counter) -> None:
    terms, request_id = counter.terms(), uuid4()
    audience = Audience(external_ids=[str(number) for number in range(50)])

    def give() -> Grant:
        return granted.grant(terms, audience, request_id=request_id)

    first, second = at_once(give, give)

    assert first == second
    assert GrantBatch.objects.count() == Grant.objects.count() == 1
    assert Customer.objects.filter(brand=counter.brand).count() == CustomerIdentity.objects.count() == 50


def redeem_into_reversal(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Voucher]:
    """A clerk redeems when the reversal has chosen the voucher and not yet taken it."""
    made = a_grant(counter)
    granted.issue_all()
    [voucher] = granted.vouchers_of(made)
    reverse(made)
    redeeming = squeeze(monkeypatch, grant_reversal, "_lock_unused", lambda: counter.redeem(voucher.code, at=LATER))
    reverse_granted(at=LATER)
    answer = redeeming.answer()
    voucher.refresh_from_db()
    return answer, voucher


def test_of_redemption_and_reversal_one_wins(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, voucher = redeem_into_reversal(counter, monkeypatch)

    assert isinstance(answer, errors.VoucherRefunded)
    assert (voucher.status, Redemption.objects.count(), UseEnding.objects.count()) == ("refunded", 0, 1)


def test_control_without_the_lock_a_use_is_redeemed_and_taken_back(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grant_reversal, "LOCK_UNUSED", grant_reversal.LOCK_UNUSED.replace("FOR NO KEY UPDATE", ""))

    answer, _ = redeem_into_reversal(counter, monkeypatch)

    assert not isinstance(answer, DomainError)
    assert Redemption.objects.count() == UseEnding.objects.count() == 1, "one use, consumed twice"


def reverse_into_issuing(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> GrantBatch:
    """The grant is reversed when a worker has claimed its batch and not yet issued it."""
    made = a_grant(counter)
    reversing = squeeze(monkeypatch, grant_issuing, "_claim", lambda: reverse(made))
    assert work() == 1
    assert reversing.answer() is None
    return made.batches.get()


def test_what_was_being_issued_when_the_grant_was_reversed_is_taken_back(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = reverse_into_issuing(counter, monkeypatch)

    assert batch.state == "reversing"
    assert reverse_granted(at=LATER)
    assert Voucher.objects.get().status == "refunded"


def test_two_workers_take_a_batch_back_once(counter: Counter) -> None:
    made = a_grant(counter, customers=5)
    granted.issue_all()
    reverse(made)

    def take_back() -> bool:
        return reverse_granted(at=LATER)

    answers = at_once(take_back, take_back)

    assert True in answers
    assert made.batches.get().taken_back == UseEnding.objects.count() == 5
