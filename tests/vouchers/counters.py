"""A counter to redeem at: brand, store, clerk, and customers who bought."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from config.accounts.models import User
from config.kernel.errors import DomainError
from stores.models import Brand, Customer, SettlementEntity, Store
from tests import factories
from tests.factories import NOW
from vouchers.models import DealTerms, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services import issuing
from vouchers.services.code_numbers import CodeNumbers
from vouchers.services.issuing import IssueOrder
from vouchers.services.redemption import RedeemRequest, redeem, redeem_batch


@dataclass
class Counter:
    brand: Brand
    entity: SettlementEntity
    store: Store
    clerk: User
    _next_number: int = 0

    def terms(self, *, kind: str = "cash", **fields: Any) -> DealTerms:
        return factories.terms(factories.deal(self.brand, kind=kind), **fields)

    def vouchers(
        self,
        terms: DealTerms | None = None,
        *,
        count: int = 1,
        customer: Customer | None = None,
        paid_fen: int = 990,
        bought_at: datetime = NOW,
    ) -> list[Voucher]:
        order = IssueOrder(
            source_kind="purchase",
            source_id=uuid4(),
            brand_id=self.brand.id,
            customer_id=(customer or factories.customer(self.brand)).id,
            terms_id=(terms or self.terms()).id,
            quantity=count,
            unit_paid_fen=paid_fen,
            bought_at=bought_at,
        )
        numbers = range(self._next_number, self._next_number + count)
        self._next_number += count
        with transaction.atomic():
            issued = issuing.issue([order], numbers=CodeNumbers({self.brand.id: numbers}), at=NOW)
        return list(Voucher.objects.filter(id__in=issued).order_by("ordinal"))

    def voucher(self, terms: DealTerms | None = None, **fields: Any) -> Voucher:
        [voucher] = self.vouchers(terms, **fields)
        return voucher

    def request(
        self, *codes: str, bill_fen: int | None = None, request_id: UUID | None = None, clerk: User | None = None
    ) -> RedeemRequest:
        operator = clerk or self.clerk
        return RedeemRequest(self.store.id, operator.id, codes, bill_fen, request_id or uuid4())

    def redeem(
        self, *codes: str, bill_fen: int | None = None, request_id: UUID | None = None, at: datetime = NOW
    ) -> Redeemed:
        return redeem(
            codes=codes,
            bill_fen=bill_fen,
            store=self.store,
            operator=self.clerk,
            request_id=request_id or uuid4(),
            at=at,
        )

    def batch(self, *requests: RedeemRequest, at: datetime = NOW) -> list[Redeemed | DomainError]:
        return redeem_batch(requests, at=at)


def counter(**store_fields: Any) -> Counter:
    brand = store_fields.pop("brand", None) or factories.brand()
    entity = factories.entity(brand)
    store = factories.store(brand, entity=entity, **store_fields)
    return Counter(brand=brand, entity=entity, store=store, clerk=factories.staff(brand, store=store).user)
