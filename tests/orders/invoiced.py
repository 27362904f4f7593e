"""Uses and orders that were paid for, have settled and can be invoiced."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from orders.models import Invoice, StoreOrder
from orders.services import invoicing
from orders.services.invoicing import Subject, Title
from stores.models import SettlementEntity
from stores.services.made import Made
from tests.orders.settled import AFTER
from vouchers.models import Redemption

TAX_NUMBER = "91350100M000100Y43"
"""The example of GB 32100-2015."""
HERSELF = Title(Invoice.TitleKind.PERSONAL, "陈某")
HER_COMPANY = Title(Invoice.TitleKind.COMPANY, "某某科技有限公司", TAX_NUMBER)


def may_sell(entity: SettlementEntity) -> None:
    SettlementEntity.objects.filter(pk=entity.pk).update(tax_number=TAX_NUMBER, tax_name="江南餐饮有限公司")


def subject(of: Redemption | StoreOrder) -> Subject:
    is_order = isinstance(of, StoreOrder)
    return Subject(Invoice.Source.STORE_ORDER if is_order else Invoice.Source.REDEMPTION, of.pk)


def asked(of: Redemption | StoreOrder, title: Title = HERSELF, **fields: Any) -> Made[Invoice]:
    """Its customer asks for the invoice."""
    plain: dict[str, Any] = {"customer_id": of.customer_id, "request_id": uuid4(), "at": AFTER}
    return invoicing.ask(subject=subject(of), title=title, **{**plain, **fields})


def invoice(of: Redemption, entity: SettlementEntity, customer_id: UUID, *, at: datetime) -> Invoice:
    """The row alone, for those who only look at it."""
    return Invoice.objects.create(
        kind="blue",
        brand_id=entity.brand_id,
        entity=entity,
        store_id=of.store_id,
        customer_id=customer_id,
        source_kind="redemption",
        source_id=of.pk,
        business_date=of.business_date,
        seller_name="江南餐饮有限公司",
        seller_tax_number=TAX_NUMBER,
        title_kind="personal",
        title="陈某",
        voucher_fen=990,
        surcharge_fen=0,
        cash_fen=0,
        refunded_fen=0,
        amount_fen=990,
        request_id=uuid4(),
        content_hash=bytes(16),
        asked_at=at,
    )
