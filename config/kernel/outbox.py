"""The outbox: what subscribers will be told, written in the transaction that made it true."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel.models import OutboxMessage

TOPICS = {
    "vouchers.issued": "Vouchers are in their owners' wallets.",
    "vouchers.granted": "A batch of a grant is in its customers' wallets: which grant, how many.",
    "vouchers.grant_reversed": "Unused vouchers of a grant's batch were taken back.",
    "vouchers.redeemed": "Uses were consumed at a store.",
    "vouchers.reversed": "A redemption was undone; the use is free again.",
    "vouchers.expired": "Unused uses ended; where the terms say so, their refund follows by itself.",
    "vouchers.recalled": "No store can honour these vouchers any more; their refund follows by itself.",
    "vouchers.extended": "Unused vouchers last longer, by an amendment of their terms.",
    "terms.amended": "Published terms changed in the customers' favour; it counts for sold vouchers too.",
    "orders.confirmed": "An order at a store is paid and has its pick-up number.",
    "orders.moved": "An order at a store was accepted, is being made, is ready, or was collected or left.",
    "orders.not_accepted": "Nobody at the store accepted an order in 10 minutes; after 20 it is rejected by itself.",
    "orders.undone": "An order at a store was cancelled or rejected; vouchers, stock and money go back.",
    "participation.asked": "Stores are asked whether they honour a deal.",
    "statements.month_closed": "A month's statements are frozen; what still comes for it is booked after it.",
    "statements.store_closed": "A store that closed has its last statement.",
    "stock.short": "More of a product left a store than its books had; somebody should count.",
    "staff.appointed": "Somebody was given a role, by appointment or by accepting an invitation.",
    "staff.ended": "Roles ended: one of hers, or all because she left.",
}
"""All that subscribers can hear of. A test compares it with what the apps announce."""


def announce(*, brand_id: UUID, topic: str, items: Sequence[dict[str, Any]], at: datetime) -> OutboxMessage:
    """
    Put one batch of ``items`` (JSON objects) under ``topic`` into the outbox, one row however many items.

    Runs inside the caller's transaction. Subscribers hear it at least once, in no promised order.
    """
    assert connection.in_atomic_block, "a message commits with what it tells"
    assert items, "an empty announcement tells nothing"
    return OutboxMessage.objects.create(
        brand_id=brand_id, topic=topic, occurred_at=at, items=list(items), item_count=len(items)
    )
