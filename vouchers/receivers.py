"""What vouchers hear from stores, inside the transaction that made it true."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from config.kernel.caller import Caller
from stores.models import Store
from stores.signals import ReachChange, calendar_published, reach_changing, store_closed
from vouchers.services import amendments, recalls


@receiver(store_closed)
def recall_what_only_it_honoured(*, store: Store, by: Caller, at: datetime, **_: Any) -> None:
    """A store closed for good: vouchers left without any store are given back."""
    recalls.begin_for_closed_store(store=store, by=by, at=at)


@receiver(calendar_published)
def follow_calendar(*, brand_id: UUID, **_: Any) -> None:
    """Terms that heed holidays may have gained days."""
    amendments.follow_calendar(brand_id=brand_id)


@receiver(reach_changing)
def check_reach_change(*, change: ReachChange, **_: Any) -> None:
    """A region or group that sold vouchers rely on does not lose them a store, nor does a store's becoming dearer."""
    amendments.check_reach_change(change=change)
