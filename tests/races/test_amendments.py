"""An amendment that gives more time, at the moment the sweeper expires what it is for."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.races.at_once import at_once
from tests.races.squeezed import squeeze
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.test_amendments import BY
from vouchers import queries
from vouchers.models import Amendment, DealTerms, TermsRevision, UseEnding, Voucher
from vouchers.queries import frozen_terms
from vouchers.services import amendments, expiry, extending

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def longer(terms: DealTerms, *, at: datetime, days: int = 60) -> Any:
    changes = {"usable_days": days}
    return amendments.publish(terms=terms, changes=changes, reason="台风", request_id=uuid4(), by=BY, at=at).row


def test_an_amendment_that_commits_before_the_sweeper_looks_saves_what_it_has_locked(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = counter.terms()
    voucher = counter.voucher(terms)
    due = voucher.valid_until
    queries.terms([terms.id])  # this process remembers them as they were
    amending = squeeze(monkeypatch, expiry, "lock_due", lambda: longer(terms, at=due))

    assert expiry.expire_due(limit=9, at=due) == 1

    assert isinstance(amending.answer(), Amendment)
    voucher.refresh_from_db()
    assert (voucher.status, voucher.valid_until > due) == ("issued", True)
    assert not UseEnding.objects.exists()


def test_without_asking_for_the_revision_what_was_given_is_taken(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = counter.terms()
    voucher = counter.voucher(terms)
    due = voucher.valid_until
    queries.terms([terms.id])
    monkeypatch.setattr(frozen_terms, "revisions_of", lambda ids: {})
    amending = squeeze(monkeypatch, expiry, "lock_due", lambda: longer(terms, at=due))

    expiry.expire_due(limit=9, at=due)

    assert isinstance(amending.answer(), Amendment)
    voucher.refresh_from_db()
    assert voucher.status == "expired", "although its amendment had committed"


def test_amendments_sweepers_and_redemptions_at_once_move_each_voucher_once(counter: Counter) -> None:
    terms = counter.terms()
    vouchers = counter.vouchers(terms, count=30)
    due = vouchers[0].valid_until
    before = due - (due - vouchers[0].valid_from) / 2

    answers = at_once(
        *[lambda days=days: longer(terms, at=before, days=days) for days in (40, 50, 60)],
        *[lambda: [extending.extend_sold(limit=7, at=before) for _ in range(9)]] * 3,
        *[lambda voucher=voucher: counter.redeem(voucher.code, at=before) for voucher in vouchers[:4]],
    )

    taken = [one for one in answers if isinstance(one, Amendment)]
    assert [one.number for one in sorted(taken, key=lambda one: one.number)] == list(range(1, len(taken) + 1))
    assert TermsRevision.objects.get().extensions == len(taken)
    while extending.extend_sold(limit=100, at=before):
        pass
    most = max(one.changes["usable_days"] for one in taken)
    moved = set(Voucher.objects.filter(status="issued").values_list("valid_until", "extensions"))
    assert len(moved) == 1
    [(until, extensions)] = moved
    assert ((until - due).days, extensions) == (most - 30, len(taken))


def test_amendments_at_once_are_numbered_by_the_deals_lock(counter: Counter) -> None:
    terms = counter.terms(min_spend_fen=10_000)

    answers = at_once(
        *[
            lambda fen=fen: amendments.publish(
                terms=terms, changes={"min_spend_fen": fen}, reason="x", request_id=uuid4(), by=BY, at=counters.NOW
            )
            for fen in range(1_000, 9_000, 1_000)
        ]
    )

    numbers = sorted(one.row.number for one in answers if not isinstance(one, Exception))
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
    assert {one.code for one in answers if isinstance(one, Exception)} <= {"amendment_not_in_favour"}
