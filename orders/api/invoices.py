"""Invoices: a customer sees what she may have and asks for it; the brand's invoicing software reads the file."""

from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller, caller_id, customer_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.ids import parse, public
from orders import errors
from orders.models import Invoice, StoreOrder
from orders.queries import invoice_files
from orders.services import invoicing
from orders.services.invoicing import Offered, Subject, Title
from stores.errors import BrandNotFound, BrandRequired, TaxNumberInvalid
from stores.models import SettlementEntity, Store
from stores.queries import books_for_caller
from vouchers.errors import RedemptionNotFound
from vouchers.models import Redemption

PREFIXES = {Invoice.Source.REDEMPTION: Redemption.PREFIX, Invoice.Source.STORE_ORDER: StoreOrder.PREFIX}
MINE = errors_of(RedemptionNotFound, errors.StoreOrderNotFound, errors.InvoicedWithItsOrder, NotAllowed)


class SubjectQuery(StrictSerializer):
    redemption = serializers.CharField(required=False, help_text="red_…, a use at the counter; or")
    order = serializers.CharField(required=False, help_text="ord_…, an order with its uses.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("redemption" in attrs) == ("order" in attrs):
            raise serializers.ValidationError({"redemption": ["this or `order`"]})
        return attrs


class InvoiceBody(SubjectQuery):
    title_kind = serializers.ChoiceField(choices=Invoice.TitleKind.choices)
    title = serializers.CharField(max_length=128, help_text="The person's or company's name.")
    tax_number = serializers.CharField(max_length=32, required=False, help_text="The company's, and only a company's.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_company = attrs["title_kind"] == Invoice.TitleKind.COMPANY
        if is_company != ("tax_number" in attrs):
            raise serializers.ValidationError({"tax_number": ["for a company, and only for one"]})
        return super().validate(attrs)


class InvoiceAmountAnswer(serializers.Serializer[Any]):
    amount_fen = serializers.IntegerField(help_text="What she really paid, less what she has back.")
    voucher_fen = serializers.IntegerField()
    surcharge_fen = serializers.IntegerField()
    cash_fen = serializers.IntegerField()
    refunded_fen = serializers.IntegerField()
    seller_name = serializers.CharField(allow_null=True)
    can_be_asked = serializers.BooleanField(help_text="It has settled, was not invoiced, and its seller can.")
    invoice = serializers.CharField(allow_null=True, help_text="inv_…, where it was.")


class InvoiceAnswer(serializers.ModelSerializer[Invoice]):
    id = serializers.CharField(source="public_id", help_text="inv_…")
    corrects = serializers.SerializerMethodField(help_text="inv_…, where it is a red one.")
    entity = serializers.SerializerMethodField(help_text="ent_…")
    store = serializers.SerializerMethodField(help_text="sto_…")
    source_id = serializers.SerializerMethodField(help_text="red_… or ord_…")

    class Meta:
        model = Invoice
        fields = (
            "id", "kind", "corrects", "entity", "store", "source_kind", "source_id", "business_date", "seller_name",
            "seller_tax_number", "title_kind", "title", "tax_number", "voucher_fen", "surcharge_fen", "cash_fen",
            "refunded_fen", "amount_fen", "asked_at",
        )  # fmt: skip

    def get_corrects(self, invoice: Invoice) -> str | None:
        return public(Invoice.PREFIX, invoice.corrects_id) if invoice.corrects_id else None

    def get_entity(self, invoice: Invoice) -> str:
        return public(SettlementEntity.PREFIX, invoice.entity_id)

    def get_store(self, invoice: Invoice) -> str:
        return public(Store.PREFIX, invoice.store_id)

    def get_source_id(self, invoice: Invoice) -> str:
        return public(PREFIXES[Invoice.Source(invoice.source_kind)], invoice.source_id)


class InvoiceFileQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    since = serializers.DateField(help_text="First day on which they were asked for or corrected.")
    until = serializers.DateField(help_text="The day after the last one.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["until"] <= attrs["since"]:
            raise serializers.ValidationError({"until": ["after `since`"]})
        return attrs


class InvoiceAmount(APIView):
    @extend_schema(
        operation_id="get_invoice_amount",
        summary="What an invoice over a use or an order would say",
        parameters=[SubjectQuery],
        responses={200: InvoiceAmountAnswer, **MINE},
        auth=only("customerToken"),
        tags=["invoices"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/invoices/amount"""
        customer_id = caller_id(customer_caller(request))
        asked = query_of(request, SubjectQuery).validated_data
        found = invoicing.offered(subject=_subject(asked), customer_id=customer_id)
        return Response(InvoiceAmountAnswer(_shown(found)).data)


class Invoices(APIView):
    @extend_schema(
        operation_id="list_invoices",
        summary="Her invoices and what was taken back of them, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(InvoiceAnswer), **errors_of(NotAllowed)},
        auth=only("customerToken"),
        tags=["invoices"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/invoices"""
        rows = Invoice.objects.filter(customer_id=caller_id(customer_caller(request)))
        page = page_of(rows, by="asked_at", **query_of(request, PageQuery).validated_data)
        return Response(page.body(lambda invoice: InvoiceAnswer(invoice).data))

    @extend_schema(
        operation_id="ask_invoice",
        summary="Ask for the invoice over a use or an order; once for each",
        request=InvoiceBody,
        responses={
            201: InvoiceAnswer,
            200: InvoiceAnswer,
            **MINE,
            **errors_of(
                errors.AlreadyInvoiced,
                errors.NothingToInvoice,
                errors.NotInvoiceableYet,
                errors.SellerHasNoTaxNumber,
                IdempotencyConflict,
                TaxNumberInvalid,
            ),
        },
        auth=only("customerToken"),
        tags=["invoices"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/invoices"""
        customer_id = caller_id(customer_caller(request))
        asked = body_of(request, InvoiceBody).validated_data
        made = invoicing.ask(
            subject=_subject(asked),
            title=Title(Invoice.TitleKind(asked["title_kind"]), asked["title"], asked.get("tax_number", "")),
            customer_id=customer_id,
            request_id=idempotency_key(request),
            at=timezone.now(),
        )
        return Response(InvoiceAnswer(made.row).data, status=201 if made.is_new else 200)


class OneInvoice(APIView):
    @extend_schema(
        operation_id="get_invoice",
        summary="One of her invoices",
        responses={200: InvoiceAnswer, **errors_of(errors.InvoiceNotFound, NotAllowed)},
        auth=only("customerToken"),
        tags=["invoices"],
    )
    def get(self, request: Request, invoice: str) -> Response:
        """GET /api/v1/invoices/{invoice}"""
        customer_id = caller_id(customer_caller(request))
        found = Invoice.objects.filter(pk=parse(Invoice.PREFIX, invoice), customer_id=customer_id).first()
        if found is None:
            raise errors.InvoiceNotFound
        return Response(InvoiceAnswer(found).data)


class InvoicesFile(APIView):
    @extend_schema(
        operation_id="get_invoices_file",
        summary="Invoices to make and to correct, as CSV for invoicing software",
        parameters=[InvoiceFileQuery],
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            **errors_of(BrandNotFound, BrandRequired, NotAllowed, errors.ExportTooLong),
        },
        auth=only("staffToken", "apiKey"),
        tags=["invoices"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """GET /api/v1/invoices.csv"""
        # Who may look comes before what is asked.
        books = books_for_caller(caller(request), at=timezone.now(), brand=request.query_params.get("brand"))
        asked = query_of(request, InvoiceFileQuery).validated_data
        rows = invoice_files.of_days(books=books, since=asked["since"], until=asked["until"])
        response = StreamingHttpResponse(invoice_files.csv_of(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="invoices_{asked["since"]}_{asked["until"]}.csv"'
        return response


def _subject(asked: dict[str, Any]) -> Subject:
    source_kind = Invoice.Source.REDEMPTION if "redemption" in asked else Invoice.Source.STORE_ORDER
    return Subject(source_kind, parse(PREFIXES[source_kind], asked.get("redemption") or asked["order"]))


def _shown(found: Offered) -> dict[str, Any]:
    parts = found.parts
    return {
        "amount_fen": parts.amount_fen,
        "voucher_fen": parts.voucher_fen,
        "surcharge_fen": parts.surcharge_fen,
        "cash_fen": parts.cash_fen,
        "refunded_fen": parts.refunded_fen,
        "seller_name": (found.seller.tax_name or found.seller.name) if found.seller else None,
        "can_be_asked": found.can_be_asked,
        "invoice": found.invoice.public_id if found.invoice else None,
    }
