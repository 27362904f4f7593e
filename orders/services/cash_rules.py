"""What the brand takes of money paid on top of vouchers."""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import Caller
from orders.errors import CashRuleStands
from orders.models import CashRule
from stores.errors import EntityNotFound
from stores.models import Brand, SettlementEntity
from stores.services import brands
from stores.services.made import Made


def set_rule(
    *,
    brand_id: UUID,
    entity_id: UUID | None,
    kind: CashRule.Kind,
    from_date: date,
    fee_bps: int,
    by: Caller,
    at: datetime,
) -> Made[CashRule]:
    """
    From the business day ``from_date`` on the brand takes ``fee_bps``; the same again is the same rule.

    Raises:
        EntityNotFound: not in this brand.
        CashRuleStands: that day has begun where the brand is, or has another rule already.
    """
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if entity_id and not SettlementEntity.objects.filter(brand_id=brand_id, id=entity_id).exists():
            raise EntityNotFound(param="entity")
        found = CashRule.objects.filter(brand_id=brand_id, entity_id=entity_id, kind=kind, from_date=from_date).first()
        if found is not None and found.fee_bps == fee_bps:
            return Made(found, is_new=False)
        today = at.astimezone(ZoneInfo(Brand.objects.get(pk=brand_id).zone)).date()
        if found is not None or from_date <= today:
            raise CashRuleStands(param="from_date")
        rule = CashRule.objects.create(
            brand_id=brand_id, entity_id=entity_id, kind=kind, from_date=from_date, fee_bps=fee_bps, created_at=at
        )
        told = {"kind": kind.value, "from_date": from_date.isoformat(), "fee_bps": fee_bps}
        audit.record(
            act="books.cash_rule_set",
            actor_kind=by.kind,
            actor_id=by.id,
            subject_kind="brand",
            subject_id=brand_id,
            brand_id=brand_id,
            details={**told, "entity": str(entity_id) if entity_id else None},
            at=at,
        )
        return Made(rule, is_new=True)
