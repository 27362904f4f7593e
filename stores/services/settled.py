"""What a batch of settled stock leaves behind: its trail, and word of what went below nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.kernel.caller import MACHINE
from config.kernel.ids import public
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Product, Store


@dataclass(frozen=True, slots=True)
class Settled:
    """``lines`` were moved; ``short`` products of a store went below nothing with them."""

    lines: int
    short: int


def leave_settled(rows: Sequence[Any], *, act: str, subject_kind: str, at: datetime) -> Settled:
    """
    The trail of one batch, from rows of (lines, brand, store, product, on hand); the last four None if none is short.

    Runs inside the caller's transaction.
    """
    lines, short = rows[0][0], [row[1:] for row in rows if row[1] is not None]
    if lines:
        told = [
            Message(
                brand_id,
                "stock.short",
                [
                    {
                        "store": public(Store.PREFIX, store_id),
                        "product": public(Product.PREFIX, product_id),
                        "on_hand": on_hand,
                    }
                    for brand, store_id, product_id, on_hand in short
                    if brand == brand_id
                ],
            )
            for brand_id in {row[0] for row in short}
        ]
        with pipelined() as send:
            send_trail(send, [Act(act, MACHINE.kind, None, subject_kind, None, None, subject_count=lines)], told, at=at)
    return Settled(lines, len(short))
