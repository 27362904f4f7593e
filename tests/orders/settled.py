"""A store whose uses settle: vouchers that were bought through a promoter, drunk, and past their window."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction

from config.kernel.caller import MACHINE
from orders.models import Account, Refund, Settlement
from orders.services import after_use
from orders.services.issuing import issue_paid
from orders.services.ledger import balance
from orders.services.settling import settle_uses
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import DealTerms, Redemption, Voucher
from vouchers.settlement import Fault

AFTER = NOW + timedelta(hours=2)
FEE_OF_2_PERCENT = [{"fee_bps": 200}]


def bought(
    counter: Counter,
    *,
    terms: DealTerms | None = None,
    rules: Sequence[dict[str, Any]] = FEE_OF_2_PERCENT,
    price_fen: int = 970,
    quantity: int = 1,
    at: datetime = NOW,
    **fields: Any,
) -> list[Voucher]:
    """Vouchers sold at ¥9.70 through a promoter who gets 6 %, his service provider 2 %; the brand takes 2 %."""
    terms = terms or counter.terms(settlement_rules=list(rules))
    promoter = {
        "promoter_id": factories.promoter(counter.brand).pk,
        "promoter_rate_bps": 600,
        "provider_rate_bps": 200,
    }
    purchase = paid.purchase(
        offer=factories.offer(terms, price_fen=price_fen),
        unit_price_fen=price_fen,
        quantity=quantity,
        accepted_at=at,
        **{**promoter, **fields},
    )
    issue_paid(at=at)
    return list(Voucher.objects.filter(source_id=purchase.pk).order_by("ordinal"))


def used(counter: Counter, *, at: datetime = NOW, **fields: Any) -> Redemption:
    """One of them, drunk."""
    [voucher] = bought(counter, at=at, **fields)
    counter.redeem(voucher.code, bill_fen=5_000 if voucher.terms.min_spend_fen else None, at=at)
    return Redemption.objects.get(voucher=voucher)


def settled(counter: Counter, *, at: datetime = NOW, **fields: Any) -> Settlement:
    """One of them, drunk and settled two hours later."""
    redemption = used(counter, at=at, **fields)
    settle_uses(at=at + timedelta(hours=2))
    return Settlement.objects.get(pk=redemption.pk)


def owed(counter: Counter, kind: Account.Kind, owner: object = "") -> int:
    """The balance of one of the brand's accounts."""
    found = Account.objects.filter(brand=counter.brand, kind=kind, owner=str(owner)).first()
    return balance(found) if found else 0


def counter(**fields: Any) -> Counter:
    return counters.counter(**fields)


def refunded(redemption: Redemption, amount_fen: int, *, fault: Fault = Fault.STORE, **fields: Any) -> Refund:
    """Given back after use, as an act of its own."""
    plain: dict[str, Any] = {"reason": "做错了", "request_id": uuid4(), "by": MACHINE, "at": AFTER}
    named = {"brand_id": redemption.voucher.brand_id, "redemption_id": redemption.pk, "fault": fault}
    with transaction.atomic(durable=True):
        return after_use.give_back(amount_fen=amount_fen, **{**named, **plain, **fields})
