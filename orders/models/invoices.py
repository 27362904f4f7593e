"""Invoices: what was really paid for a use or an order, asked for once, and what is taken back of it later."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from orders.models.settlement import Settlement
from stores.models import Brand, SettlementEntity, Store


class Invoice(PublicIdModel):
    """
    发票: what a customer asked for (BLUE, once per (customer, request_id)), or what a refund after use takes back of
    it (RED 红字, which names the blue one it ``corrects``). Written once, with seller and buyer as they were called.

    It is not the tax office's document: the brand's invoicing software makes that from the export.
    """

    PREFIX: ClassVar[str] = "inv"

    class Kind(models.TextChoices):
        BLUE = "blue"
        RED = "red"

    class TitleKind(models.TextChoices):
        PERSONAL = "personal"
        COMPANY = "company"

    class Source(models.TextChoices):
        REDEMPTION = "redemption"
        STORE_ORDER = "store_order"

    kind = models.CharField(max_length=4, choices=Kind)
    corrects = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="corrections")
    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    entity = models.ForeignKey(SettlementEntity, models.PROTECT, db_index=False, related_name="+")
    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    customer_id = models.UUIDField()
    source_kind = models.CharField(max_length=12, choices=Source)
    source_id = models.UUIDField()
    business_date = models.DateField()
    seller_name = models.CharField(max_length=128)
    seller_tax_number = models.CharField(max_length=32)
    title_kind = models.CharField(max_length=8, choices=TitleKind)
    title = models.CharField(max_length=128)
    tax_number = models.CharField(max_length=32, blank=True)
    voucher_fen = models.BigIntegerField()
    surcharge_fen = models.BigIntegerField()
    cash_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    request_id = models.UUIDField(null=True, blank=True)
    content_hash = models.BinaryField(max_length=16, null=True, blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer_id", "request_id"], name="invoice_is_asked_once_per_request"),
            models.UniqueConstraint(
                fields=["source_id", "source_kind"], condition=Q(kind="blue"), name="source_is_invoiced_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    amount_fen=F("voucher_fen") + F("surcharge_fen") + F("cash_fen") - F("refunded_fen"),
                    voucher_fen__gte=0,
                    surcharge_fen__gte=0,
                    cash_fen__gte=0,
                    refunded_fen__gte=0,
                ),
                name="invoice_is_what_was_paid_less_refunds",
            ),
            models.CheckConstraint(
                condition=Q(kind="blue", amount_fen__gt=0, corrects__isnull=True, request_id__isnull=False)
                | Q(kind="red", amount_fen__lt=0, corrects__isnull=False, request_id__isnull=True),
                name="red_invoice_corrects_a_blue_one",
            ),
            models.CheckConstraint(
                condition=Q(title_kind="personal", tax_number="") | (Q(title_kind="company") & ~Q(tax_number="")),
                name="company_has_its_tax_number",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["brand", "asked_at"], name="invoice_by_brand"),
            models.Index(fields=["customer_id", "asked_at"], name="invoice_by_customer"),
        ]


class InvoiceLine(models.Model):
    """A settlement line that is on an invoice, once for ever; below zero where money went back. Written once."""

    settlement = models.OneToOneField(
        Settlement, models.PROTECT, primary_key=True, db_constraint=False, related_name="invoiced"
    )
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    amount_fen = models.BigIntegerField()
