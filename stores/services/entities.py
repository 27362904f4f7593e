"""Settlement entities, and which of them a store's money is from which day on."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from config.kernel.tax_numbers import is_credit_code
from stores.business_days import business_date
from stores.errors import CodeTaken, EarlierDaysStand, EntityNotFound, StoreNotFound, TaxNumberInvalid
from stores.models import SettlementEntity, Store, StoreEntity
from stores.queries import entity_on
from stores.services import brands, trail
from stores.services.made import Made


class EntityChanges(TypedDict, total=False):
    """The kind stays: a company that becomes a franchisee is another party to the books."""

    name: str
    tax_name: str
    tax_number: str
    joins_by_contract: bool


def add(
    *,
    brand_id: UUID,
    code: str,
    name: str,
    kind: SettlementEntity.Kind,
    tax_number: str,
    tax_name: str = "",
    by: Caller,
    at: datetime,
) -> Made[SettlementEntity]:
    """
    A party that is paid for what its stores redeem. The same again is the same entity.

    Raises:
        CodeTaken: the code is another entity's.
        TaxNumberInvalid: it is none.
    """
    require_tax_number(tax_number)
    content = {"name": name, "kind": kind.value, "tax_number": tax_number, "tax_name": tax_name}
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if found := SettlementEntity.objects.filter(brand_id=brand_id, code=code).first():
            if any(getattr(found, field) != value for field, value in content.items()):
                raise CodeTaken(value=code, param="code")
            return Made(found, is_new=False)
        entity = SettlementEntity.objects.create(brand_id=brand_id, code=code, created_at=at, **content)
        trail.leave("entity.added", entity, brand_id=brand_id, by=by, at=at, details={"code": code, **content})
        return Made(entity, is_new=True)


def edit(*, brand_id: UUID, entity_id: UUID, changes: EntityChanges, by: Caller, at: datetime) -> SettlementEntity:
    """
    Rename an entity, correct its tax name or number, or say whether its stores take part by contract.

    Raises:
        EntityNotFound: no such entity in this brand.
        TaxNumberInvalid: it is none.
    """
    require_tax_number(changes.get("tax_number", ""))
    with transaction.atomic(durable=True):
        entity = SettlementEntity.objects.select_for_update().filter(brand_id=brand_id, id=entity_id).first()
        if entity is None:
            raise EntityNotFound
        if told := trail.change(entity, dict(changes)):
            trail.leave("entity.edited", entity, brand_id=brand_id, by=by, at=at, details=told)
        return entity


def require_tax_number(text: str) -> None:
    """
    None yet, or a unified social credit code.

    Raises:
        TaxNumberInvalid: neither.
    """
    if text and not is_credit_code(text):
        raise TaxNumberInvalid(param="tax_number")


def hand_over(
    *, brand_id: UUID, store_id: UUID, entity_id: UUID, from_date: date, by: Caller, at: datetime
) -> StoreEntity:
    """
    From the business day ``from_date`` on the store's money is ``entity_id``'s. Repeating changes nothing.

    Redemptions carry the entity of their own day and are written once, so a day that has begun stands;
    only a store nobody holds yet is given from today on. A plan for the same future day is replaced.

    Raises:
        StoreNotFound, EntityNotFound: not in this brand.
        EarlierDaysStand: ``from_date`` has begun.
    """
    with transaction.atomic(durable=True):
        store = Store.objects.select_for_update(no_key=True).filter(brand_id=brand_id, id=store_id).first()
        if store is None:
            raise StoreNotFound
        if not SettlementEntity.objects.filter(brand_id=brand_id, id=entity_id).exists():
            raise EntityNotFound(param="entity")
        planned = StoreEntity.objects.filter(store=store, from_date=from_date).first()
        if planned is not None and planned.entity_id == entity_id:
            return planned
        today = business_date(hours=store.hours, zone=store.zone, at=at)
        if from_date < today or (from_date == today and entity_on(store.id, today) is not None):
            raise EarlierDaysStand(from_date=from_date.isoformat(), param="from_date")
        before = planned.entity_id if planned else entity_on(store.id, from_date)
        member, _ = StoreEntity.objects.update_or_create(
            store=store, from_date=from_date, defaults={"entity_id": entity_id}
        )
        details = {"from": before and str(before), "to": str(entity_id), "from_date": from_date.isoformat()}
        trail.leave("store.handed_over", store, brand_id=brand_id, by=by, at=at, details=details)
        return member


def give(held: Mapping[UUID, Iterable[Store]], *, at: datetime) -> None:
    """New stores, by the entity they begin with on their first business day. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a store and whose it is commit together"
    StoreEntity.objects.bulk_create(
        [
            StoreEntity(
                store=store, entity_id=entity_id, from_date=business_date(hours=store.hours, zone=store.zone, at=at)
            )
            for entity_id, stores in held.items()
            for store in stores
        ],
        batch_size=1_000,
    )
