"""Offers end at the time they were made to."""

from datetime import timedelta

import pytest
from django.db import transaction

from config.kernel.models import AuditEntry
from orders.services import draining
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once
from vouchers.models import DealTerms, Offer
from vouchers.services import offer_closing


@pytest.fixture
def terms() -> DealTerms:
    return factories.terms(factories.deal(factories.brand()))


def state(offer: Offer) -> str:
    return Offer.objects.values_list("state", flat=True).get(pk=offer.pk)


@pytest.mark.django_db(transaction=True)
class TestClosing:
    def test_an_offer_closes_when_its_time_has_come_and_then_drains(self, terms: DealTerms) -> None:
        open_one = factories.offer(terms, closes_at=NOW)
        paused = factories.offer(terms, closes_at=NOW, state="paused")
        later = factories.offer(terms, closes_at=NOW + timedelta(microseconds=1))
        endless = factories.offer(terms)
        draft = factories.offer(terms, closes_at=NOW, state="draft")

        assert offer_closing.close_due(limit=10, at=NOW) == 2

        assert [state(one) for one in (open_one, paused, later, endless, draft)] == [
            "closed",
            "closed",
            "open",
            "open",
            "draft",
        ]
        [entry] = AuditEntry.objects.filter(act="offers.closed_at_their_end")
        assert (entry.actor_kind, entry.subject_count) == ("machine", 2)
        draining.drain_closed(limit=10, at=NOW)
        assert (state(open_one), state(paused)) == ("drained", "drained")

    def test_it_stays_within_its_limit_oldest_first(self, terms: DealTerms) -> None:
        second = factories.offer(terms, closes_at=NOW)
        first = factories.offer(terms, closes_at=NOW - timedelta(minutes=1))

        assert offer_closing.close_due(limit=1, at=NOW) == 1

        assert (state(first), state(second)) == ("closed", "open")

    def test_an_offer_that_somebody_holds_is_left_to_the_next_run(self, terms: DealTerms) -> None:
        offer = factories.offer(terms, closes_at=NOW)
        with transaction.atomic():
            Offer.objects.select_for_update(no_key=True).get(pk=offer.pk)

            assert at_once(lambda: offer_closing.close_due(limit=10, at=NOW)) == [0]
        assert offer_closing.close_due(limit=10, at=NOW) == 1
