"""Reads of stores that ask nobody's permission: the caller of the function has been asked."""

from dataclasses import dataclass
from datetime import date, datetime
from math import cos, radians
from typing import Any
from uuid import UUID

from django.db.models import FloatField, QuerySet, Value
from django.db.models.functions import ASin, Cast, Cos, Least, Power, Radians, Sin, Sqrt

from stores.models import Staff, Store, StoreEntity, WebhookDelivery, WebhookSubscription

EARTH_RADIUS_METRES = 6_371_000


@dataclass(frozen=True, slots=True)
class NearStore:
    store: Store
    distance_metres: int


def nearest_stores(
    stores: QuerySet[Store], *, latitude: float, longitude: float, after: int = 0, limit: int = 3
) -> list[NearStore]:
    """The open ones among ``stores`` nearest to a place, ``after`` nearer ones; those without a place are left out."""
    near = by_distance(stores, latitude=latitude, longitude=longitude)[after : after + limit]
    return [NearStore(store=store, distance_metres=round(store.metres)) for store in near]


def by_distance(stores: QuerySet[Store], *, latitude: float, longitude: float) -> Any:
    """
    The open ones among ``stores`` that have a place, nearest first, each with its distance as ``metres``.

    Great-circle distance by the haversine formula (Sinnott 1984) on a sphere: within 0.5 % on earth.
    """
    here_latitude, here_longitude = Value(radians(latitude)), Value(radians(longitude))
    there_latitude, there_longitude = (Radians(Cast(name, FloatField())) for name in ("latitude", "longitude"))
    half_chord = Sqrt(
        Power(Sin((there_latitude - here_latitude) / 2.0), 2.0)
        + Cos(there_latitude)
        * Value(cos(radians(latitude)))
        * Power(Sin((there_longitude - here_longitude) / 2.0), 2.0)
    )
    # Rounding may lift an antipode's chord just above 1, where the arc sine ends.
    metres = Value(2.0 * EARTH_RADIUS_METRES) * ASin(Least(half_chord, Value(1.0)))
    placed = stores.filter(status=Store.Status.OPEN, latitude__isnull=False)
    return placed.annotate(metres=metres).order_by("metres", "id")


def entity_on(store_id: UUID, day: date) -> UUID | None:
    """Whose the store's money is on a business day; None before its first membership."""
    return (
        StoreEntity.objects.filter(store_id=store_id, from_date__lte=day)
        .order_by("-from_date")
        .values_list("entity_id", flat=True)
        .first()
    )


def roles_of_user(user_id: UUID, *, at: datetime) -> QuerySet[Staff]:
    """What the user may do and where, for her own eyes; ended rows are history."""
    held = Staff.objects.filter(user_id=user_id).exclude(ended_at__lte=at)
    return held.select_related("brand", "region", "entity", "store").order_by("created_at", "id")


def deliveries(subscription: WebhookSubscription, *, status: str | None) -> QuerySet[WebhookDelivery]:
    """A subscription's deliveries with what they carry (not its items), to narrow and to page."""
    rows = WebhookDelivery.objects.filter(subscription=subscription)
    if status is not None:
        rows = rows.filter(status=status)
    return rows.select_related("message").defer("message__items")
