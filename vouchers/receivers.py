"""What vouchers hear from stores, inside the transaction that made it true."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from config.kernel.caller import Caller
from stores.models import Store
from stores.signals import store_closed
from vouchers.services import recalls


@receiver(store_closed)
def recall_what_only_it_honoured(*, store: Store, by: Caller, at: datetime, **_: Any) -> None:
    """A store closed for good: vouchers left without any store are given back."""
    recalls.begin_for_closed_store(store=store, by=by, at=at)
