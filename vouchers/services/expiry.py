"""Vouchers whose time is over."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from config.kernel.caller import MACHINE
from config.kernel.ids import public
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Customer
from vouchers import queries
from vouchers.models import UseEnding, Voucher
from vouchers.services import endings
from vouchers.signals import uses_expired


def expire_due(*, limit: int, at: datetime) -> int:
    """
    ISSUED → EXPIRED for up to ``limit`` vouchers whose ``valid_until`` has come; says how many.

    A voucher that somebody else has locked is left to her: if she redeems it, it is no longer due. A
    held voucher is not ISSUED and does not expire. One audit row a batch, one announcement a brand.
    """
    with transaction.atomic(durable=True):
        due = lock_due(limit=limit, at=at)
        if not due:
            return 0
        terms = queries.terms({voucher.terms_id for voucher in due})
        # What a platform sold it refunds itself.
        follows = {
            voucher.id: terms[voucher.terms_id].refunds_on_expiry and voucher.issuer == Voucher.OWN for voucher in due
        }
        ended = endings.expire_free_uses(due, refund_follows=follows, at=at)
        _announce(due, ended, at=at)
        uses_expired.send(sender=UseEnding, endings=ended, at=at)
        return len(due)


def lock_due(*, limit: int, at: datetime) -> list[Voucher]:
    """The oldest vouchers that are due, locked; those that are locked elsewhere are skipped."""
    return list(
        Voucher.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(status=Voucher.Status.ISSUED, valid_until__lte=at)
        .order_by("valid_until")[:limit]
    )


def _announce(due: Sequence[Voucher], ended: Sequence[UseEnding], *, at: datetime) -> None:
    uses: defaultdict[UUID, list[UseEnding]] = defaultdict(list)
    for ending in ended:
        uses[ending.voucher_id].append(ending)
    told: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for voucher in due:
        told[voucher.brand_id].append(
            {
                "voucher": voucher.public_id,
                "customer": public(Customer.PREFIX, voucher.customer_id),
                "uses": len(uses[voucher.id]),
                "amount_fen": sum(ending.amount_fen for ending in uses[voucher.id]),
                "refund_follows": any(ending.refund_follows for ending in uses[voucher.id]),
            }
        )
    act = Act(
        act="voucher.expire",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="voucher",
        subject_id=None,
        brand_id=None,
        subject_count=len(due),
    )
    messages = [Message(brand_id, "vouchers.expired", items) for brand_id, items in told.items()]
    with pipelined() as send:
        send_trail(send, [act], messages, at=at)
