"""Where vouchers are honoured near a place, and what the things that rules speak of are called: on one trip."""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import CharField, F, FloatField, IntegerField, Model, QuerySet, UUIDField, Value
from django.db.models.functions import Cast

from config.kernel.ids import public
from stores.models import Product, Region, Store, StoreGroup
from stores.queries import by_distance
from vouchers.queries.accepting import accepting_stores
from vouchers.verdict import Terms

NEAREST = 3
KEPT_SECONDS = 300
MOST_KEPT = 8192

Place = tuple[float, float]
Columns = tuple[int, UUID, str, str, str, float]
NAME = -1
"""In place of the number of a scope."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Names in Chinese and English by id, and the nearest accepting stores by ``Scope``."""

    names: Mapping[UUID, tuple[str, str]]
    nearest: Mapping["Scope", list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What decides which stores accept: deals of one brand often share it."""

    brand_id: UUID
    rule: Hashable
    dearer_stores: str

    @classmethod
    def of(cls, terms: Terms) -> "Scope":
        return cls(terms.brand_id, terms.scope, terms.dearer_stores)


# Kept for minutes: a clerk who scans one wrong voucher after the other must not make a whole batch wait.
_kept: dict[Hashable, Any] = {}


def look_up(*, products: Collection[UUID], terms: Iterable[Terms], place: Place | None, at: datetime) -> Whereabouts:
    """
    The products' names; for each of the terms the nearest stores to ``place`` and the names in its store scope.

    One statement, whatever is asked, and none for what was asked within minutes. Without a place nothing is near.
    """
    by_scope = {Scope.of(one): one for one in terms}
    period = int(at.timestamp()) // KEPT_SECONDS
    keys: dict[Hashable, Hashable] = {(period, scope, place): scope for scope in by_scope} if place else {}
    ids = {*products, *(named for one in by_scope.values() for named in _named(one))}
    keys |= {(period, named): named for named in ids}
    known = {key: _kept[key] for key in keys if key in _kept}
    if missing := {keys[key] for key in keys.keys() - known.keys()}:
        read = _read(
            products=[one for one in products if one in missing],
            terms=[one for scope, one in by_scope.items() if scope in missing],
            named_in=[one for one in by_scope.values() if not missing.isdisjoint(_named(one))],
            place=place,
        )
        fresh = {key: read[keys[key]] for key in keys.keys() - known.keys() if keys[key] in read}
        if len(_kept) + len(fresh) > MOST_KEPT:
            _kept.clear()
        _kept.update(fresh)
        known |= fresh
    found = {keys[key]: value for key, value in known.items()}
    return Whereabouts(
        names={named: found[named] for named in ids if named in found},
        nearest={scope: found.get(scope, []) for scope in by_scope},
    )


def forget() -> None:
    """Everything kept, as in a process that has just begun."""
    _kept.clear()


def _named(terms: Terms) -> frozenset[UUID]:
    scope = terms.scope
    return (
        scope.regions | scope.except_regions | scope.groups | scope.except_groups | scope.stores | scope.except_stores
    )


def _read(
    *, products: Collection[UUID], terms: list[Terms], named_in: list[Terms], place: Place | None
) -> dict[Hashable, Any]:
    scopes = [one.scope for one in named_in]
    asked: tuple[tuple[type[Model], set[UUID], str], ...] = (
        (Product, {*products}, "name_en"),
        (Region, {named for one in scopes for named in one.regions | one.except_regions}, "name"),
        (StoreGroup, {named for one in scopes for named in one.groups | one.except_groups}, "name"),
        (Store, {named for one in scopes for named in one.stores | one.except_stores}, "name_en"),
    )
    parts = [_names(model, ids, english) for model, ids, english in asked if ids]
    if place is not None:
        parts += [_nearest(number, one, place) for number, one in enumerate(terms)]
    rows: Iterable[Columns] = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
    found: dict[Hashable, Any] = {Scope.of(one): [] for one in terms}
    # A union keeps no order.
    for number, id_, name, english, address, metres in sorted(rows, key=lambda row: (row[-1], row[1])):
        if number == NAME:
            found[id_] = (name, english or name)
            continue
        near = {"store": public(Store.PREFIX, id_), "name": name, "address": address, "distance_metres": round(metres)}
        found[Scope.of(terms[number])].append(near)
    return found


def _names(model: type[Model], ids: Collection[UUID], english: str) -> QuerySet[Any, Columns]:
    return _columns(model._default_manager.filter(pk__in=ids), NAME, english, Value(""), Value(0.0))


def _nearest(number: int, terms: Terms, place: Place) -> QuerySet[Any, Columns]:
    latitude, longitude = place
    near = by_distance(accepting_stores(terms), latitude=latitude, longitude=longitude)[:NEAREST]
    return _columns(near, number, "name_en", F("address"), F("metres"))


def _columns(rows: QuerySet[Any], number: int, english: str, address: Any, metres: Any) -> QuerySet[Any, Columns]:
    return rows.values_list(
        Cast(Value(number), IntegerField()),
        Cast(F("id"), UUIDField()),
        Cast(F("name"), CharField()),
        Cast(F(english), CharField()),
        Cast(address, CharField()),
        Cast(metres, FloatField()),
    )
