"""Vouchers that nobody can honour any more: told, and refunded in batches."""

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
from orders.models import LedgerTransfer, Refund
from orders.services import refunds
from stores.models import Customer
from vouchers.models import DealTerms, Recall, UseEnding
from vouchers.services import returns


def refund_recalled(*, limit: int, at: datetime) -> int:
    """
    Give back up to ``limit`` open vouchers of recalled terms, and tell of it; how many were taken.

    Claimed by the vouchers' own state with SKIP LOCKED: a crash leaves the rest as it was, a repeat finds only
    what is left, and a voucher that is being redeemed is either used or found the next time. The caller's rate
    is the wave's rate.
    """
    with transaction.atomic(durable=True):
        causes = dict(Recall.objects.values_list("terms_id", "cause"))
        if not causes:
            return 0
        endings = returns.begin_refunds_of_terms(terms_ids=list(causes), limit=limit, at=at)
        if not endings:
            return 0
        given_back = refunds.give_back(
            endings, kind=LedgerTransfer.Kind.REFUND_UNUSED, source=Refund.Source.VOUCHER, at=at
        )
        _tell(endings, causes, count=len(given_back), at=at)
        return len(given_back)


def _tell(endings: Sequence[UseEnding], causes: dict[UUID, str], *, count: int, at: datetime) -> None:
    uses: defaultdict[UUID, list[UseEnding]] = defaultdict(list)
    for ending in endings:
        uses[ending.voucher_id].append(ending)
    told: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for of_voucher in uses.values():
        voucher = of_voucher[0].voucher
        told[voucher.brand_id].append(
            {
                "voucher": voucher.public_id,
                "customer": public(Customer.PREFIX, voucher.customer_id),
                "terms": public(DealTerms.PREFIX, voucher.terms_id),
                "cause": causes[voucher.terms_id],
                "uses": len(of_voucher),
                "amount_fen": sum(ending.amount_fen for ending in of_voucher),
            }
        )
    act = Act(
        act="vouchers.recalled",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="voucher",
        subject_id=None,
        brand_id=None,
        subject_count=count,
    )
    messages = [Message(brand_id, "vouchers.recalled", items) for brand_id, items in told.items()]
    with pipelined() as send:
        send_trail(send, [act], messages, at=at)
