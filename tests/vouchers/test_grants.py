"""grants.grant decides who gets what, workers issue it once, and grants.reverse takes back what is unused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry, OutboxMessage
from stores.models import Customer
from tests import factories
from tests.factories import NOW
from tests.vouchers import granted
from tests.vouchers.counters import Counter
from vouchers import errors
from vouchers.codes import is_well_formed
from vouchers.models import Grant, GrantBatch, UseEnding, Voucher
from vouchers.queries.grants import counts_of
from vouchers.services import grants, holds
from vouchers.services.expiry import expire_due
from vouchers.services.grant_issuing import issue_granted
from vouchers.services.grant_reversal import LOOK_AGAIN, reverse_granted
from vouchers.services.grants import Audience, reach
from vouchers.services.reversal import reverse as undo

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def three(counter: Counter) -> list[Customer]:
    return [factories.customer(counter.brand) for _ in range(3)]


def reverse(grant: Grant, *, at: datetime = LATER, **fields: Any) -> Grant:
    given = {"request_id": uuid4(), "by": granted.staff(factories.user()), **fields}
    made = grants.reverse(grant=grant, at=at, **given).row
    while reverse_granted(at=at):
        pass
    return made


def test_every_listed_customer_gets_her_vouchers_for_nothing(counter: Counter, three: list[Customer]) -> None:
    terms = counter.terms()

    made = granted.grant(terms, granted.to(*three, three[0]), per_customer=2)
    assert (made.customer_count, made.voucher_count) == (3, 6)
    assert granted.issue_all() == 6

    vouchers = granted.vouchers_of(made)
    [batch] = made.batches.all()
    assert [voucher.ordinal for voucher in vouchers] == [1, 2, 3, 4, 5, 6]
    assert [voucher.customer_id for voucher in vouchers] == [one for one in batch.customer_ids for _ in range(2)]
    assert {v.customer_id for v in vouchers} == {customer.pk for customer in three}
    assert {(v.paid_fen, v.use_amounts_fen[0], v.status, v.terms_id) for v in vouchers} == {(0, 0, "issued", terms.pk)}
    assert len({voucher.code for voucher in vouchers}) == 6
    assert all(is_well_formed(voucher.code) for voucher in vouchers)
    assert (batch.state, batch.issued_at) == ("issued", NOW)


def test_a_granted_voucher_is_redeemed_like_any_other(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(), granted.to(*three))
    granted.issue_all()

    redeemed = counter.redeem(granted.vouchers_of(made)[0].code)

    assert redeemed.uses[0].amount_fen == 0


def test_customers_whom_only_the_brand_knows_are_made_and_the_others_found(counter: Counter) -> None:
    terms = counter.terms()
    first = granted.grant(terms, Audience(external_ids=["甲", "乙"]))
    second = granted.grant(terms, Audience(external_ids=["乙", "丙", "丙"]))

    assert Customer.objects.filter(brand=counter.brand).count() == 3
    of_first, of_second = ({*grant.batches.get().customer_ids} for grant in (first, second))
    assert len(of_first & of_second) == 1


def test_a_large_grant_is_issued_in_batches_each_with_its_trail(
    counter: Counter, three: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "BATCH_VOUCHERS", 2)

    made = granted.grant(counter.terms(), granted.to(*three))
    assert [issue_granted(at=NOW) for _ in range(3)] == [2, 1, 0]

    acts = AuditEntry.objects.filter(act="vouchers.granted").order_by("id")
    assert [(act.subject_count, act.actor_kind) for act in acts] == [(2, "machine"), (1, "machine")]
    told = OutboxMessage.objects.filter(topic="vouchers.granted").order_by("id")
    assert [message.items[0]["vouchers"] for message in told] == [2, 1]
    assert {message.items[0]["grant"] for message in told} == {made.public_id}
    assert len({voucher.code for voucher in granted.vouchers_of(made)}) == 3
    [decided] = AuditEntry.objects.filter(act="grant.made")
    assert (decided.subject_id, decided.details["vouchers"]) == (made.pk, 3)


def test_a_batch_issues_in_as_many_statements_whatever_its_size(counter: Counter, three: list[Customer]) -> None:
    terms = counter.terms()
    granted.grant(terms, granted.to(three[0]))
    granted.issue_all()
    granted.grant(terms, granted.to(three[0]))
    with CaptureQueriesContext(connection) as few:
        issue_granted(at=NOW)
    granted.grant(terms, Audience(external_ids=[str(number) for number in range(300)]), per_customer=3)
    with CaptureQueriesContext(connection) as many:
        assert issue_granted(at=NOW) == 900

    assert len(many) == len(few)


def test_the_same_request_is_the_same_grant_and_another_content_is_refused(
    counter: Counter, three: list[Customer]
) -> None:
    terms, request_id = counter.terms(), uuid4()
    first = granted.grant(terms, granted.to(*three), request_id=request_id)
    again = granted.grant(terms, granted.to(*reversed(three)), request_id=request_id)

    assert first == again
    assert GrantBatch.objects.count() == 1
    for other in ({"per_customer": 2}, {"reason": "别的"}):
        with pytest.raises(IdempotencyConflict):
            granted.grant(terms, granted.to(*three), request_id=request_id, **other)
    with pytest.raises(IdempotencyConflict):
        granted.grant(terms, granted.to(three[0]), request_id=request_id)


def test_days_count_from_the_decision_however_late_the_batch_is_issued(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(usable_days=1), granted.to(three[0]))
    granted.issue_all(at=NOW + timedelta(hours=20))

    [voucher] = granted.vouchers_of(made)
    assert (voucher.valid_from, voucher.valid_until) == (NOW, datetime(2026, 6, 2, 16, tzinfo=UTC))


def test_a_card_is_given_with_every_use_worth_nothing(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(kind="times_card"), granted.to(three[0]))
    granted.issue_all()

    [card] = granted.vouchers_of(made)
    assert (card.uses_total, card.uses_left, card.use_amounts_fen) == (3, 3, [0, 0, 0])


def test_a_strangers_customer_refuses_the_whole_list(counter: Counter, three: list[Customer]) -> None:
    stranger = factories.customer(factories.brand())

    with pytest.raises(errors.CustomersNotFound) as refusal:
        granted.grant(counter.terms(), granted.to(*three, stranger))

    assert refusal.value.details == {"count": 1, "first": [stranger.public_id]}
    assert not Grant.objects.exists()
    assert not GrantBatch.objects.exists()


def test_a_segment_that_nobody_fits_grants_nothing(counter: Counter) -> None:
    with pytest.raises(errors.GrantReachesNobody):
        granted.grant(counter.terms(), Audience(segment={"holds_open": {}}))

    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    ("audience", "fields"),
    [
        (Audience(), {}),
        (Audience(external_ids=["1"], segment={"joined": {}}), {}),
        (Audience(external_ids=[]), {}),
        (Audience(external_ids=["1"] * (grants.MOST_LISTED + 1)), {}),
        (Audience(external_ids=["1"]), {"per_customer": 0}),
        (Audience(external_ids=["1"]), {"per_customer": 100}),
    ],
)
def test_what_cannot_be_granted_is_refused(counter: Counter, audience: Audience, fields: dict[str, int]) -> None:
    with pytest.raises(errors.GrantInvalid):
        granted.grant(counter.terms(), audience, **fields)
    with pytest.raises(errors.GrantInvalid):
        reach(terms=counter.terms(), audience=audience, at=NOW, **{"per_customer": 1, **fields})


def test_vouchers_that_would_have_expired_are_not_given(counter: Counter, three: list[Customer]) -> None:
    over = counter.terms(validity="fixed", usable_days=None, usable_from=NOW - timedelta(days=9), usable_until=NOW)
    with pytest.raises(errors.GrantInvalid):
        granted.grant(over, granted.to(*three))


def test_counting_first_says_what_the_grant_then_does(counter: Counter, three: list[Customer]) -> None:
    terms = counter.terms()
    granted.grant(terms, Audience(external_ids=["old"]))
    asked = [
        (granted.to(*three), (3, 0, 6)),
        (Audience(external_ids=["old", "new", "new"]), (2, 1, 4)),
        (Audience(segment={"joined": {}}), (4, 0, 8)),
    ]
    for audience, expected in asked:
        counted = reach(terms=terms, audience=audience, per_customer=2, at=NOW)
        assert (counted.customers, counted.new_customers, counted.vouchers) == expected

    assert Customer.objects.filter(brand=counter.brand).count() == 4, "counting makes nobody"
    assert granted.grant(terms, Audience(segment={"joined": {}}), per_customer=2).voucher_count == 8


def test_reversing_refunds_the_unused_at_nothing_and_leaves_the_used(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(), granted.to(*three))
    granted.issue_all()
    used, *unused = granted.vouchers_of(made)
    counter.redeem(used.code)

    made = reverse(made)

    assert [v.status for v in granted.vouchers_of(made)] == ["used", "refunded", "refunded"]
    endings = UseEnding.objects.all()
    assert {ending.voucher_id for ending in endings} == {voucher.pk for voucher in unused}
    assert {(e.amount_fen, e.refunding_at, e.refunded_at, e.expired_at) for e in endings} == {(0, LATER, LATER, None)}
    batch = made.batches.get()
    assert (batch.state, batch.reversed_at, batch.taken_back) == ("reversed", LATER, 2)
    counts = counts_of(made)
    assert (counts.planned, counts.issued, counts.used, counts.open, counts.reversed) == (3, 3, 1, 0, 2)
    assert counts.is_done
    [act] = AuditEntry.objects.filter(act="vouchers.grant_reversed")
    assert act.subject_count == 2
    with pytest.raises(errors.VoucherRefunded):
        counter.redeem(unused[0].code)


def test_a_card_that_was_begun_stays_whole_and_an_untouched_one_goes(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(kind="times_card"), granted.to(*three[:2]))
    granted.issue_all()
    begun, untouched = granted.vouchers_of(made)
    counter.redeem(begun.code)

    reverse(made)

    begun.refresh_from_db()
    untouched.refresh_from_db()
    assert (begun.status, begun.uses_left) == ("issued", 2)
    assert (untouched.status, untouched.uses_left, untouched.endings.count()) == ("refunded", 0, 3)
    assert counts_of(made).used == 1


def test_what_has_expired_is_not_taken_back(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(usable_days=1), granted.to(*three))
    granted.issue_all()
    at = NOW + timedelta(days=3)
    expire_due(limit=10, at=at)

    reverse(made, at=at)

    counts = counts_of(made)
    assert (counts.expired, counts.reversed) == (3, 0)


def test_what_is_not_issued_yet_never_is(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(), granted.to(*three))

    reverse(made)

    assert granted.issue_all(at=LATER) == 0
    assert not Voucher.objects.exists()
    batch = made.batches.get()
    assert (batch.state, batch.issued_at, batch.taken_back) == ("reversed", None, 0)


def test_a_held_voucher_is_looked_at_again_when_the_order_is_over(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(), granted.to(*three))
    granted.issue_all()
    held = granted.vouchers_of(made)[0]
    [hold] = holds.hold(uses={held.pk: 1}, source_kind="store_order", source_id=uuid4(), expires_at=None, at=NOW)

    reverse(made)
    batch = made.batches.get()
    assert (batch.state, batch.taken_back, batch.due_at) == ("reversing", 2, LATER + LOOK_AGAIN)
    assert not counts_of(made).is_done
    holds.release(holds.Lease(hold.source_kind, hold.source_id, hold.fence), at=LATER)
    assert not reverse_granted(at=LATER), "not before its time"
    assert reverse_granted(at=LATER + LOOK_AGAIN)

    batch.refresh_from_db()
    assert (batch.state, batch.taken_back) == ("reversed", 3)


@pytest.mark.django_db(transaction=True)
def test_an_undo_gives_a_reversed_grant_its_voucher_back(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(), granted.to(*three))
    granted.issue_all()
    used = granted.vouchers_of(made)[0]
    [use] = counter.redeem(used.code).uses
    reverse(made, at=NOW)

    undo(redemption_id=use.redemption_id, operator=counter.clerk, request_id=uuid4(), at=NOW)
    assert (made.batches.get().state, counts_of(made).is_done) == ("reversing", False)
    assert reverse_granted(at=NOW)

    used.refresh_from_db()
    batch = made.batches.get()
    assert (used.status, batch.state, batch.reversed_at, batch.taken_back) == ("refunded", "reversed", NOW, 3)


@pytest.mark.django_db(transaction=True)
def test_an_undo_leaves_a_grant_alone_that_nobody_reversed(counter: Counter, three: list[Customer]) -> None:
    made = granted.grant(counter.terms(), granted.to(*three))
    granted.issue_all()
    [use] = counter.redeem(granted.vouchers_of(made)[0].code).uses

    undo(redemption_id=use.redemption_id, operator=counter.clerk, request_id=uuid4(), at=NOW)

    assert made.batches.get().state == "issued"


def test_a_grant_is_reversed_once(counter: Counter, three: list[Customer]) -> None:
    made, request_id = granted.grant(counter.terms(), granted.to(*three)), uuid4()
    reverse(made, request_id=request_id)

    again = grants.reverse(
        grant=made, request_id=request_id, by=granted.staff(factories.user()), at=LATER + timedelta(hours=1)
    )
    assert (again.is_new, again.row.reversed_at) == (False, LATER)
    with pytest.raises(errors.GrantAlreadyReversed):
        reverse(made)
    assert AuditEntry.objects.filter(act="grant.reversed").count() == 1
