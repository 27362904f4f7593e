"""How a store takes orders: its rule, a pause by hand, and that somebody is there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from config.kernel.caller import Caller
from stores.errors import StoreNotFound
from stores.models import OrderingRule, Store
from stores.services import trail

SEEN_EVERY = timedelta(seconds=30)
"""A board that asks every few seconds writes only so often."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``cups_per_slot`` None is no limit."""

    cups_per_slot: int | None
    cut_off_minutes: int
    needs_presence: bool


def rule_of(store_id: UUID) -> OrderingRule:
    """The store's rule; not saved where it is the settings'."""
    found = OrderingRule.objects.filter(store_id=store_id).first()
    return found or OrderingRule(store_id=store_id, **_defaults())


def keep(*, store_id: UUID, rule: Rule, by: Caller, at: datetime) -> OrderingRule:
    """
    From now on the store takes orders so; what is promised stays promised. Repeating changes nothing.

    Raises:
        StoreNotFound: as it says.
    """
    with transaction.atomic(durable=True):
        store, found = _lock(store_id)
        changes = {
            "cups_per_slot": rule.cups_per_slot,
            "cut_off_minutes": rule.cut_off_minutes,
            "needs_presence": rule.needs_presence,
        }
        if rule.needs_presence and not found.needs_presence:
            # Whoever asks for it is there; the board has as long as ever to be heard of.
            found.seen_at = at
            found.save(update_fields=["seen_at"])
        if told := trail.change(found, changes):
            trail.leave("store.ordering_kept", store, brand_id=store.brand_id, by=by, at=at, details=told)
        return found


def pause(*, store_id: UUID, minutes: int, by: Caller, at: datetime) -> OrderingRule:
    """
    No new orders for so long; it ends by itself. A later pause replaces an earlier one.

    Raises:
        StoreNotFound: as it says.
    """
    return _pause(store_id, at + timedelta(minutes=minutes), act="store.ordering_paused", by=by, at=at)


def resume(*, store_id: UUID, by: Caller, at: datetime) -> OrderingRule:
    """
    Take orders again before the pause is over. Repeating changes nothing.

    Raises:
        StoreNotFound: as it says.
    """
    return _pause(store_id, None, act="store.ordering_resumed", by=by, at=at)


def seen(*, store_id: UUID, at: datetime) -> None:
    """Somebody is at the store. Writes nothing where nobody asks, or where it has just been written."""
    late = Q(seen_at__lte=at - SEEN_EVERY)
    OrderingRule.objects.filter(late, store_id=store_id, needs_presence=True).update(seen_at=at)


def _pause(store_id: UUID, until: datetime | None, *, act: str, by: Caller, at: datetime) -> OrderingRule:
    with transaction.atomic(durable=True):
        store, found = _lock(store_id)
        if told := trail.change(found, {"paused_until": until}):
            trail.leave(act, store, brand_id=store.brand_id, by=by, at=at, details=told)
        return found


def _lock(store_id: UUID) -> tuple[Store, OrderingRule]:
    store = Store.objects.filter(id=store_id).first()
    if store is None:
        raise StoreNotFound
    OrderingRule.objects.bulk_create([OrderingRule(store=store, **_defaults())], ignore_conflicts=True)
    return store, OrderingRule.objects.select_for_update(no_key=True).get(store=store)


def _defaults() -> dict[str, int | None]:
    return {"cups_per_slot": settings.CUPS_PER_SLOT or None, "cut_off_minutes": settings.CUT_OFF_MINUTES}
