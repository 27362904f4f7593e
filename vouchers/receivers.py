"""What vouchers hear from stores, inside the transaction that made it true."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from config.kernel.caller import Caller
from stores.models import Store, StoreGroup
from stores.signals import calendar_published, group_changing, store_closed
from vouchers.services import amendments, recalls


@receiver(store_closed)
def recall_what_only_it_honoured(*, store: Store, by: Caller, at: datetime, **_: Any) -> None:
    """A store closed for good: vouchers left without any store are given back."""
    recalls.begin_for_closed_store(store=store, by=by, at=at)


@receiver(calendar_published)
def follow_calendar(*, brand_id: UUID, **_: Any) -> None:
    """Terms that heed holidays may have gained days."""
    amendments.follow_calendar(brand_id=brand_id)


@receiver(group_changing)
def check_group_change(*, group: StoreGroup, joining: set[UUID], leaving: set[UUID], **_: Any) -> None:
    """A group that sold vouchers rely on does not lose them a store."""
    amendments.check_group_change(group=group, joining=joining, leaving=leaving)
