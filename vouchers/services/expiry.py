"""Vouchers whose time is over."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import MACHINE
from config.kernel.ids import public
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Customer
from vouchers import queries
from vouchers.models import UseEnding, Voucher
from vouchers.services import endings, extending
from vouchers.services.endings import Ended
from vouchers.signals import uses_expired
from vouchers.verdict import extended

LOCK_DUE = """
    SELECT id, brand_id, customer_id, terms_id, issuer, valid_until, extensions FROM vouchers_voucher
    WHERE status = 'issued' AND valid_until <= %(at)s ORDER BY valid_until LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
"""


class Due(NamedTuple):
    """A locked voucher whose time is over; what ending it needs of it and no more."""

    id: UUID
    brand_id: UUID
    customer_id: UUID
    terms_id: UUID
    issuer: str
    valid_until: datetime
    extensions: int


def expire_due(*, limit: int, at: datetime) -> int:
    """
    ISSUED → EXPIRED for up to ``limit`` vouchers whose ``valid_until`` has come; says how many were due.

    One that an amendment made to last longer, and that nobody has moved yet, is moved instead.

    A voucher that somebody else has locked is left to her: if she redeems it, it is no longer due. A
    held voucher is not ISSUED and does not expire. One audit row a batch, one announcement a brand.
    """
    with transaction.atomic(durable=True):
        due = lock_due(limit=limit, at=at)
        if not due:
            return 0
        # Read under the locks: an amendment that has committed by now counts.
        terms = queries.terms({voucher.terms_id for voucher in due})
        over = [one for one in due if at >= extended(one.valid_until, having=one.extensions, terms=terms[one.terms_id])]
        if len(over) < len(due):
            extending.extend_locked({one.id for one in due} - {one.id for one in over}, terms, at=at)
        if over:
            # What a platform sold it refunds itself.
            follows = {one.id: terms[one.terms_id].refunds_on_expiry and one.issuer == Voucher.OWN for one in over}
            ended = endings.expire_free_uses(follows, at=at)
            _announce(over, ended, at=at)
            if paid := endings.paid_for(ended, expired_at=at):
                uses_expired.send(sender=UseEnding, endings=paid, at=at)
        return len(due)


def lock_due(*, limit: int, at: datetime) -> list[Due]:
    """The oldest vouchers that are due, locked; those that are locked elsewhere are skipped."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_DUE, {"limit": limit, "at": at})
        return [Due(*row) for row in cursor.fetchall()]


def _announce(due: Sequence[Due], ended: Sequence[Ended], *, at: datetime) -> None:
    uses: defaultdict[UUID, list[Ended]] = defaultdict(list)
    for one in ended:
        uses[one.voucher_id].append(one)
    told: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for voucher in due:
        of_voucher = uses[voucher.id]
        told[voucher.brand_id].append(
            {
                "voucher": public(Voucher.PREFIX, voucher.id),
                "customer": public(Customer.PREFIX, voucher.customer_id),
                "uses": len(of_voucher),
                "amount_fen": sum(one.amount_fen for one in of_voucher),
                "refund_follows": any(one.refund_follows for one in of_voucher),
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
