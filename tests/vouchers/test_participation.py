"""Participation: stores are asked, answer by a deadline, and only those that accepted are in the scope."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import IdempotencyConflict
from stores.errors import StoreGroupIsKept, StoreIsPromised
from stores.models import Brand, Store
from stores.services import groups
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import counter
from tests.vouchers.test_settlement_rules import publish
from vouchers.errors import AnswerTooLate, BoundByContract, NobodyToAsk, NotAsked, TermsInvalid
from vouchers.models import Deal, ParticipationRound, StoreParticipation
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.frozen_terms import terms
from vouchers.services import participation

pytestmark = pytest.mark.django_db
OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())
RULES = [{"share_bps": 9_000}]
DEADLINE = NOW + timedelta(days=3)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def deal(brand: Brand) -> Deal:
    return factories.deal(brand)


@pytest.fixture
def franchised(brand: Brand) -> Store:
    return factories.store(brand, entity=factories.entity(brand, kind="franchisee"))


def ask(deal: Deal, **fields: Any) -> ParticipationRound:
    plain: dict[str, Any] = {
        "store_scope": {},
        "price_fen": 990,
        "settlement_rules": RULES,
        "note": "",
        "answer_until": DEADLINE,
        "request_id": uuid4(),
    }
    return participation.ask(deal=deal, by=OWNER, at=NOW, **{**plain, **fields}).row


def scope_of(asked: ParticipationRound) -> dict[str, Any]:
    return {"groups": [asked.group.public_id]}


def taking_part(asked: ParticipationRound) -> set[Store]:
    return {member.store for member in asked.group.members.select_related("store")}


def test_company_stores_and_bound_entities_are_in_without_being_asked(
    brand: Brand, deal: Deal, franchised: Store
) -> None:
    own = factories.store(brand, entity=factories.entity(brand, kind="company"))
    bound = factories.store(brand, entity=factories.entity(brand, kind="franchisee", joins_by_contract=True))

    asked = ask(deal)
    assert taking_part(asked) == {own, bound}
    assert asked.stores.get(store=franchised).status == "asked"
    with pytest.raises(BoundByContract):
        participation.decline(round_id=asked.pk, store=bound, by=OWNER, at=NOW)


def test_only_stores_that_accepted_honour_the_voucher(brand: Brand, deal: Deal, franchised: Store) -> None:
    late = factories.store(brand, entity=factories.entity(brand, kind="franchisee"))
    silent = factories.store(brand, entity=factories.entity(brand, kind="franchisee"))
    asked = ask(deal)
    participation.accept(round_id=asked.pk, store=franchised, by=OWNER, at=NOW)
    sold = publish(deal, *RULES, store_scope=scope_of(asked))

    assert set(accepting_stores(terms([sold.pk])[sold.pk])) == {franchised}
    participation.accept(round_id=asked.pk, store=late, by=OWNER, at=DEADLINE - timedelta(seconds=1))
    assert set(accepting_stores(terms([sold.pk])[sold.pk])) == {franchised, late}
    with pytest.raises(AnswerTooLate):
        participation.accept(round_id=asked.pk, store=silent, by=OWNER, at=DEADLINE)
    assert silent not in taking_part(asked)


def test_a_mind_may_change_until_vouchers_are_sold(deal: Deal, franchised: Store) -> None:
    here = counter(brand=deal.brand)
    asked = ask(deal)
    for act, members in (
        (participation.accept, {here.store, franchised}),
        (participation.decline, {here.store}),
        (participation.decline, {here.store}),
        (participation.accept, {here.store, franchised}),
    ):
        act(round_id=asked.pk, store=franchised, by=OWNER, at=NOW)
        assert taking_part(asked) == members
    here.voucher(publish(deal, *RULES, store_scope=scope_of(asked)))

    with pytest.raises(StoreIsPromised):
        participation.decline(round_id=asked.pk, store=franchised, by=OWNER, at=NOW)
    assert StoreParticipation.objects.get(store=franchised).status == "accepted"


def test_terms_settle_as_the_stores_accepted(deal: Deal, franchised: Store) -> None:
    asked = ask(deal)
    participation.accept(round_id=asked.pk, store=franchised, by=OWNER, at=NOW)

    with pytest.raises(TermsInvalid):
        publish(deal, {"share_bps": 8_000}, store_scope=scope_of(asked))
    with pytest.raises(TermsInvalid):
        publish(factories.deal(deal.brand), *RULES, store_scope=scope_of(asked))


def test_nobody_changes_the_answers_by_hand(deal: Deal, franchised: Store) -> None:
    asked = ask(deal)
    with pytest.raises(StoreGroupIsKept):
        groups.change_members(
            brand_id=deal.brand_id, group_id=asked.group_id, joining=[franchised.pk], leaving=[], by=OWNER, at=NOW
        )


def test_a_question_repeated_is_the_same_round(deal: Deal, franchised: Store) -> None:
    key = uuid4()
    assert ask(deal, request_id=key) == ask(deal, request_id=key)
    with pytest.raises(IdempotencyConflict):
        ask(deal, request_id=key, price_fen=991)


def test_a_question_needs_stores_and_time(deal: Deal) -> None:
    with pytest.raises(NobodyToAsk):
        ask(deal)
    factories.store(deal.brand)
    with pytest.raises(AnswerTooLate):
        ask(deal, answer_until=NOW)
    with pytest.raises(TermsInvalid):
        ask(deal, settlement_rules=[{"share_bps": 10_001}])


def test_a_store_that_was_not_asked_does_not_answer(brand: Brand, deal: Deal, franchised: Store) -> None:
    asked = ask(deal, store_scope={"stores": [franchised.public_id]})
    with pytest.raises(NotAsked):
        participation.accept(round_id=asked.pk, store=factories.store(brand), by=OWNER, at=NOW)
