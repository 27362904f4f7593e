"""Participation: stores are asked whether they honour a deal, and answer by a deadline."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel import outbox
from config.kernel.caller import Caller
from config.kernel.idempotency import content_hash
from stores.models import Store, StoreGroup
from stores.services import brands, groups, trail
from stores.services.made import Key, Made, made_before
from vouchers.errors import AnswerTooLate, BoundByContract, NobodyToAsk, NotAsked
from vouchers.models import Deal, DealTerms, ParticipationRound, StoreParticipation
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.frozen_terms import not_yet_published
from vouchers.services.settlement_check import check_rules, check_rules_named
from vouchers.services.terms_check import check_scopes

Status = StoreParticipation.Status

# Of a company, of an entity whose contract says so, or of nobody but the brand: nobody is asked.
BOUND = """
SELECT store.id FROM stores_store store
LEFT JOIN LATERAL (
    SELECT entity_id FROM stores_storeentity
    WHERE store_id = store.id AND from_date <= (%(at)s::timestamptz AT TIME ZONE store.zone)::date
    ORDER BY from_date DESC LIMIT 1
) member ON true
LEFT JOIN stores_settlemententity entity ON entity.id = member.entity_id
WHERE store.id = ANY(%(stores)s) AND (entity.id IS NULL OR entity.kind = 'company' OR entity.joins_by_contract)
"""


def ask(
    *,
    deal: Deal,
    store_scope: Mapping[str, Any],
    price_fen: int,
    settlement_rules: Sequence[Mapping[str, Any]],
    note: str,
    answer_until: datetime,
    request_id: UUID,
    by: Caller,
    at: datetime,
) -> Made[ParticipationRound]:
    """
    Ask the stores that ``store_scope`` takes in today; those whose contract says so are in without being asked.

    Safe to retry: the same ``request_id`` with the same content is the same round. Its group is what the deal's
    terms name as their store scope; whoever accepts later is in the scope from then on.

    Raises:
        TermsInvalid: rules that cannot hold, or a scope of the wrong form.
        NobodyToAsk: the scope takes in no store that is open or will be.
        AnswerTooLate: the deadline is over already.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    scope, rules = dict(store_scope), list(settlement_rules)
    content = content_hash(
        deal=deal.id, scope=scope, price=price_fen, rules=rules, note=note, answer_until=answer_until
    )
    key = Key(deal.brand_id, request_id, content)
    check_scopes(scope, {})
    check_rules(rules)
    with transaction.atomic(durable=True):
        brands.lock(deal.brand_id)
        if first := made_before(ParticipationRound.objects.all(), key):
            return first
        if answer_until <= at:
            raise AnswerTooLate(answer_until=answer_until.isoformat(), param="answer_until")
        check_rules_named(rules, {}, deal=deal)
        stores = _stores(deal, scope, at=at)
        if not stores:
            raise NobodyToAsk(param="store_scope")
        asked = ParticipationRound(
            deal=deal,
            price_fen=price_fen,
            settlement_rules=rules,
            note=note,
            answer_until=answer_until,
            asked_at=at,
            **key._asdict(),
        )
        bound = _write(asked, stores, at=at)
        told = {"deal": deal.public_id, "stores": len(stores), "by_contract": len(bound)}
        trail.leave("participation.asked", asked, brand_id=deal.brand_id, by=by, at=at, details=told)
        outbox.announce(
            brand_id=deal.brand_id, topic="participation.asked", items=[{"round": asked.public_id, **told}], at=at
        )
        return Made(asked, is_new=True)


def _write(asked: ParticipationRound, stores: Sequence[UUID], *, at: datetime) -> set[UUID]:
    """The round with its group, and a row for each store; those bound by contract, which are in at once."""
    bound = _bound(stores, at=at)
    asked.group = StoreGroup.objects.create(
        brand_id=asked.brand_id,
        code=f"asked-{asked.id.hex[-12:]}",
        name=f"参与门店 {asked.deal.name}"[:64],
        kept_by=StoreGroup.KeptBy.PARTICIPATION,
        created_at=at,
    )
    asked.save(force_insert=True)
    StoreParticipation.objects.bulk_create(
        [
            StoreParticipation(
                round=asked,
                store_id=store_id,
                status=Status.ACCEPTED if store_id in bound else Status.ASKED,
                by_contract=store_id in bound,
                answered_at=at if store_id in bound else None,
            )
            for store_id in stores
        ],
        batch_size=1_000,
    )
    groups.move(asked.group, joining=bound, leaving=set())
    return bound


def accept(*, round_id: UUID, store: Store, by: Caller, at: datetime) -> StoreParticipation:
    """
    The store honours the deal from now on. Repeating changes nothing.

    Raises:
        NotAsked: the store is not in such a round.
        AnswerTooLate: the deadline is over.
    """
    return _answer(Status.ACCEPTED, round_id, store, by=by, at=at)


def decline(*, round_id: UUID, store: Store, by: Caller, at: datetime) -> StoreParticipation:
    """
    The store does not honour the deal; it may still change its mind until the deadline. Repeating changes nothing.

    Raises:
        NotAsked: the store is not in such a round.
        AnswerTooLate: the deadline is over.
        BoundByContract: its contract has answered for it.
        StoreIsPromised: it had accepted, and vouchers were sold since.
    """
    return _answer(Status.DECLINED, round_id, store, by=by, at=at)


def _answer(
    status: StoreParticipation.Status, round_id: UUID, store: Store, *, by: Caller, at: datetime
) -> StoreParticipation:
    with transaction.atomic(durable=True):
        # The brand's lock first, as whoever changes what terms reach takes it.
        brands.lock(store.brand_id)
        rows = StoreParticipation.objects.select_for_update(of=("self",), no_key=True).select_related("round__group")
        row = rows.filter(round_id=round_id, store=store, round__brand_id=store.brand_id).first()
        if row is None:
            raise NotAsked
        if row.status == status:
            return row
        if at >= row.round.answer_until:
            raise AnswerTooLate(answer_until=row.round.answer_until.isoformat())
        if row.by_contract:
            raise BoundByContract
        if status == Status.ACCEPTED:
            groups.move(row.round.group, joining={store.id}, leaving=set())
        elif row.status == Status.ACCEPTED:
            groups.move(row.round.group, joining=set(), leaving={store.id})
        row.status, row.answered_at, row.answered_by_id = status, at, by.id
        row.save(update_fields=["status", "answered_at", "answered_by_id"])
        told = {"store": store.public_id, "status": status.value}
        trail.leave("participation.answered", row.round, brand_id=store.brand_id, by=by, at=at, details=told)
        return row


def _stores(deal: Deal, store_scope: Mapping[str, Any], *, at: datetime) -> list[UUID]:
    row = DealTerms(
        deal=deal,
        number=0,
        list_price_fen=1,
        use_list_fen=[1],
        validity=DealTerms.Validity.DAYS,
        usable_days=1,
        store_scope=dict(store_scope),
        published_at=at,
    )
    open_ones = accepting_stores(not_yet_published(row)).exclude(status=Store.Status.CLOSED)
    return list(open_ones.order_by("id").values_list("id", flat=True))


def _bound(store_ids: Sequence[UUID], *, at: datetime) -> set[UUID]:
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(BOUND, {"stores": list(store_ids), "at": at})
        return {row[0] for row in cursor.fetchall()}
