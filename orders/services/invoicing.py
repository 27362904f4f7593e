"""
Invoices: a customer asks for one, once for each use or order, and a refund that comes later takes its part back.

What is invoiced are settlement lines, so nothing of it can be undone any more; only a refund after use still changes
it. Whoever invoices and whoever refunds locks the use, so either the invoice is already less, or the refund writes the
red one (红字) that corrects it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from config.kernel import audit
from config.kernel.caller import CallerKind
from config.kernel.errors import IdempotencyConflict
from config.kernel.idempotency import content_hash
from orders.errors import (
    AlreadyInvoiced,
    InvoicedWithItsOrder,
    NothingToInvoice,
    NotInvoiceableYet,
    SellerHasNoTaxNumber,
    StoreOrderNotFound,
)
from orders.models import Invoice, InvoiceLine, StoreOrder
from orders.queries import invoiceable
from orders.queries.invoiceable import Invoiceable
from stores.models import SettlementEntity
from stores.services.entities import require_tax_number
from stores.services.made import Made
from vouchers.errors import RedemptionNotFound
from vouchers.models import Redemption, RedemptionRequest

Kind, Source, TitleKind = Invoice.Kind, Invoice.Source, Invoice.TitleKind
MADE = (StoreOrder.Status.READY, StoreOrder.Status.COLLECTED, StoreOrder.Status.UNCOLLECTED)


@dataclass(frozen=True, slots=True)
class Title:
    """In whose name: a person's, or a company's with its tax number."""

    kind: Invoice.TitleKind
    name: str
    tax_number: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is invoiced: a use, or a whole order with its uses and what was due of it."""

    source_kind: Invoice.Source
    source_id: UUID


@dataclass(frozen=True, slots=True)
class Offered:
    """What an invoice would say now; ``invoice`` where there is one already, ``can_be_asked`` where it may be had."""

    parts: Invoiceable
    seller: SettlementEntity | None
    invoice: Invoice | None
    can_be_asked: bool


@dataclass(frozen=True, slots=True)
class _Held:
    order: StoreOrder | None
    redemptions: Sequence[Redemption]

    @property
    def redemption_ids(self) -> list[UUID]:
        return [redemption.pk for redemption in self.redemptions]

    @property
    def has_settled(self) -> bool:
        uses_have = all(redemption.settled_at is not None for redemption in self.redemptions)
        order = self.order
        return uses_have and (
            order is None or (order.status in MADE and (order.due_fen == 0 or order.settled_at is not None))
        )


def ask(*, subject: Subject, title: Title, customer_id: UUID, request_id: UUID, at: datetime) -> Made[Invoice]:
    """
    An invoice over what she paid for the subject, less what she has back. The same request again is the same invoice.

    Raises:
        RedemptionNotFound, StoreOrderNotFound: not hers.
        InvoicedWithItsOrder: the use is an order's, which is invoiced as a whole.
        NotInvoiceableYet: a part of it can still be undone.
        NothingToInvoice: it cost her nothing, or she has all of it back.
        AlreadyInvoiced: by another request.
        SellerHasNoTaxNumber: whose money it is cannot sell by invoice yet.
        TaxNumberInvalid: the company's.
        IdempotencyConflict: ``request_id`` came before for something else.
    """
    require_tax_number(title.tax_number)
    asked = content_hash(
        source_kind=subject.source_kind.value,
        source_id=subject.source_id,
        title_kind=title.kind.value,
        title=title.name,
        tax_number=title.tax_number,
    )
    with transaction.atomic(durable=True):
        held = lock(subject, customer_id=customer_id)
        first = Invoice.objects.filter(customer_id=customer_id, request_id=request_id).first()
        if first is not None:
            if bytes(first.content_hash or b"") != asked:
                raise IdempotencyConflict(param="Idempotency-Key")
            return Made(first, is_new=False)
        parts, seller = _require_invoiceable(subject, held)
        invoice = _written(subject, parts, seller, title, customer_id, request_id, asked, at=at)
        return Made(invoice, is_new=True)


def offered(*, subject: Subject, customer_id: UUID) -> Offered:
    """
    What an invoice would be over; read without a lock.

    Raises:
        RedemptionNotFound, StoreOrderNotFound, InvoicedWithItsOrder: see ``ask``.
    """
    held = _found(subject, customer_id=customer_id, for_update=False)
    parts = _parts(held)
    seller = _seller(parts)
    invoice = _invoice_of(subject)
    is_ready = held.has_settled and not invoiceable.surcharges_wait(held.redemption_ids)
    can = is_ready and invoice is None and parts.amount_fen > 0 and seller is not None and bool(seller.tax_number)
    return Offered(parts, seller, invoice, can_be_asked=can)


def lock(subject: Subject, *, customer_id: UUID) -> _Held:
    """
    The order, then its uses in key order, against other invoices and refunds of them.

    Runs inside the caller's transaction.
    """
    assert connection.in_atomic_block, "a lock goes with its transaction"
    return _found(subject, customer_id=customer_id, for_update=True)


def credit(*, redemption_id: UUID, refund_id: UUID, amount_fen: int, at: datetime) -> Invoice | None:
    """
    The red invoice of a refund after use whose use was invoiced before; None where it was not.

    Runs inside the caller's transaction, which holds the use and has written the refund's line.
    """
    assert connection.in_atomic_block, "what goes back is corrected with it"
    blue = Invoice.objects.filter(lines__settlement_id=redemption_id).first()
    if blue is None:
        return None
    red = Invoice.objects.create(
        kind=Kind.RED,
        corrects=blue,
        brand_id=blue.brand_id,
        entity_id=blue.entity_id,
        store_id=blue.store_id,
        customer_id=blue.customer_id,
        source_kind=blue.source_kind,
        source_id=blue.source_id,
        business_date=blue.business_date,
        seller_name=blue.seller_name,
        seller_tax_number=blue.seller_tax_number,
        title_kind=blue.title_kind,
        title=blue.title,
        tax_number=blue.tax_number,
        voucher_fen=0,
        surcharge_fen=0,
        cash_fen=0,
        refunded_fen=amount_fen,
        amount_fen=-amount_fen,
        asked_at=at,
    )
    InvoiceLine.objects.create(settlement_id=refund_id, invoice=red, amount_fen=-amount_fen)
    return red


def _found(subject: Subject, *, customer_id: UUID, for_update: bool) -> _Held:
    orders, redemptions = StoreOrder.objects.all(), Redemption.objects.all()
    if for_update:
        orders = orders.select_for_update(no_key=True)
        redemptions = redemptions.select_for_update(no_key=True)
    if subject.source_kind == Source.STORE_ORDER:
        order = orders.filter(pk=subject.source_id, customer_id=customer_id).first()
        if order is None:
            raise StoreOrderNotFound
        of_order = redemptions.filter(request_id=order.redemption_request_id, reversed_at__isnull=True)
        return _Held(order, list(of_order.order_by("pk")) if order.redemption_request_id else [])
    redemption = redemptions.filter(pk=subject.source_id, customer_id=customer_id).first()
    if redemption is None:
        raise RedemptionNotFound
    request = RedemptionRequest.objects.get(pk=redemption.request_id)
    if request.source_kind == RedemptionRequest.Source.STORE_ORDER and request.source_id is not None:
        raise InvoicedWithItsOrder(order=f"{StoreOrder.PREFIX}_{request.source_id.hex}")
    return _Held(None, [redemption] if redemption.reversed_at is None else [])


def _parts(held: _Held) -> Invoiceable:
    return invoiceable.lines_of(
        redemption_ids=held.redemption_ids, order_id=held.order.pk if held.order is not None else None
    )


def _invoice_of(subject: Subject) -> Invoice | None:
    return Invoice.objects.filter(source_id=subject.source_id, source_kind=subject.source_kind, kind=Kind.BLUE).first()


def _seller(parts: Invoiceable) -> SettlementEntity | None:
    """All lines are of one store and business day, so of one entity."""
    entity_ids = [line.entity_id for line in parts.lines if line.entity_id is not None]
    return SettlementEntity.objects.filter(pk__in=entity_ids[:1]).first()


def _require_invoiceable(subject: Subject, held: _Held) -> tuple[Invoiceable, SettlementEntity]:
    if (invoice := _invoice_of(subject)) is not None:
        raise AlreadyInvoiced(invoice=invoice.public_id)
    if not held.redemptions and held.order is None:
        raise NothingToInvoice
    if not held.has_settled or invoiceable.surcharges_wait(held.redemption_ids):
        raise NotInvoiceableYet
    parts = _parts(held)
    if parts.amount_fen <= 0:
        raise NothingToInvoice
    seller = _seller(parts)
    if seller is None or not seller.tax_number:
        raise SellerHasNoTaxNumber
    return parts, seller


def _written(
    subject: Subject,
    parts: Invoiceable,
    seller: SettlementEntity,
    title: Title,
    customer_id: UUID,
    request_id: UUID,
    asked: bytes,
    *,
    at: datetime,
) -> Invoice:
    first = next(line for line in parts.lines if line.amount_fen > 0)
    invoice = Invoice(
        kind=Kind.BLUE,
        brand_id=seller.brand_id,
        entity=seller,
        store_id=first.store_id,
        customer_id=customer_id,
        source_kind=subject.source_kind,
        source_id=subject.source_id,
        business_date=first.business_date,
        seller_name=seller.tax_name or seller.name,
        seller_tax_number=seller.tax_number,
        title_kind=title.kind,
        title=title.name,
        tax_number=title.tax_number,
        voucher_fen=parts.voucher_fen,
        surcharge_fen=parts.surcharge_fen,
        cash_fen=parts.cash_fen,
        refunded_fen=parts.refunded_fen,
        amount_fen=parts.amount_fen,
        request_id=request_id,
        content_hash=asked,
        asked_at=at,
    )
    try:
        with transaction.atomic():
            invoice.save(force_insert=True)
    except IntegrityError:
        # The subject is held: only her key can be taken, at this moment, for something else.
        raise IdempotencyConflict(param="Idempotency-Key") from None
    InvoiceLine.objects.bulk_create(
        InvoiceLine(settlement_id=line.id, invoice=invoice, amount_fen=line.amount_fen) for line in parts.lines
    )
    audit.record(
        act="invoice.asked",
        actor_kind=CallerKind.CUSTOMER,
        actor_id=customer_id,
        brand_id=seller.brand_id,
        subject_kind="invoice",
        subject_id=invoice.pk,
        details={"amount_fen": invoice.amount_fen},
        at=at,
    )
    return invoice
