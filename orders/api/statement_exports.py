"""Statement lines as files: CSV at once, as it is read; a workbook from the background."""

from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.ids import parse
from orders import errors
from orders.models import StatementExport
from orders.queries import statement_files
from orders.services import statement_exports
from orders.services.statement_exports import Span
from stores.errors import BrandNotFound, BrandRequired
from stores.models import Store
from stores.queries import books_for_caller

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class SpanBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    store = serializers.CharField(required=False, help_text="sto_…, for one store's lines.")
    since = serializers.DateField(help_text="First day of the statements.")
    until = serializers.DateField(help_text="The day after the last one.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["until"] <= attrs["since"]:
            raise serializers.ValidationError({"until": ["after `since`"]})
        return attrs


class ExportAnswer(serializers.ModelSerializer[StatementExport]):
    id = serializers.CharField(source="public_id", help_text="exp_…")
    progress_percent = serializers.SerializerMethodField()

    class Meta:
        model = StatementExport
        fields = (
            "id", "status", "since", "until", "line_count", "progress_percent", "size_bytes", "asked_at", "ready_at",
            "expires_at",
        )  # fmt: skip

    def get_progress_percent(self, export: StatementExport) -> int:
        if export.ready_at is not None:
            return 100
        return min(99, 100 * export.lines_written // max(export.line_count, 1))


class StatementLinesFile(APIView):
    @extend_schema(
        operation_id="get_statement_lines_file",
        summary="Statement lines as CSV, streamed: every line with its use, purchase and rule",
        parameters=[SpanBody],
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            **errors_of(BrandNotFound, BrandRequired, NotAllowed, errors.ExportTooLong),
        },
        tags=["statements"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """GET /api/v1/statement-lines.csv"""
        # Who may look comes before what is asked.
        books = books_for_caller(caller(request), at=timezone.now(), brand=request.query_params.get("brand"))
        span = _span(query_of(request, SpanBody).validated_data)
        statement_exports.count_lines(books, span)
        lines = statement_files.csv_of_lines(books=books, since=span.since, until=span.until, store_id=span.store_id)
        return _file(lines, "text/csv; charset=utf-8", f"{span.since}_{span.until}.csv")


class StatementExports(APIView):
    @extend_schema(
        operation_id="ask_statement_export",
        summary="Have a workbook (XLSX) of statement lines written in the background",
        description="A sheet has at most 1,000,000 lines; more go on in the next one. The file is there for a day.",
        request=SpanBody,
        responses={
            201: ExportAnswer,
            200: ExportAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                IdempotencyConflict,
                NotAllowed,
                errors.ExportTooLong,
                errors.TooManyExports,
            ),
        },
        tags=["statements"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/statement-exports"""
        by, at = caller(request), timezone.now()
        asked = body_of(request, SpanBody).validated_data
        books, span = books_for_caller(by, at=at, brand=asked.get("brand")), _span(asked)
        made = statement_exports.ask(books=books, span=span, request_id=idempotency_key(request), by=by, at=at)
        return Response(ExportAnswer(made.row).data, status=201 if made.is_new else 200)


class OneStatementExport(APIView):
    @extend_schema(
        operation_id="get_statement_export",
        summary="How far an export is",
        responses={200: ExportAnswer, **errors_of(NotAllowed, errors.ExportNotFound)},
        tags=["statements"],
    )
    def get(self, request: Request, export: str) -> Response:
        """GET /api/v1/statement-exports/{export}"""
        return Response(ExportAnswer(_export_of(request, export)).data)


class StatementExportFile(APIView):
    @extend_schema(
        operation_id="get_statement_export_file",
        summary="The workbook, for a day after it is ready",
        responses={
            (200, XLSX): OpenApiResponse(OpenApiTypes.BINARY),
            **errors_of(NotAllowed, errors.ExportExpired, errors.ExportNotFound, errors.ExportNotReady),
        },
        tags=["statements"],
    )
    def get(self, request: Request, export: str) -> StreamingHttpResponse:
        """GET /api/v1/statement-exports/{export}/file"""
        found = _export_of(request, export)
        content = statement_exports.pieces(found, at=timezone.now())
        return _file(content, XLSX, f"{found.since}_{found.until}.xlsx", length=found.size_bytes)


def _span(asked: dict[str, Any]) -> Span:
    store = asked.get("store")
    return Span(asked["since"], asked["until"], parse(Store.PREFIX, store) if store else None)


def _export_of(request: Request, export: str) -> StatementExport:
    """An export whose lines the caller may see: of her brand, and of no entity beyond hers."""
    found = StatementExport.objects.filter(id=parse(StatementExport.PREFIX, export)).select_related("brand").first()
    if found is None:
        raise errors.ExportNotFound
    try:
        books = books_for_caller(caller(request), at=timezone.now(), brand=found.brand.public_id)
    except BrandNotFound:
        raise errors.ExportNotFound from None
    seen = books.entity_ids
    if seen is not None and (found.entity_ids is None or not set(found.entity_ids) <= seen):
        raise errors.ExportNotFound
    return found


def _file(content: Any, content_type: str, name: str, *, length: int | None = None) -> StreamingHttpResponse:
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="statement_{name}"'
    if length is not None:
        response["Content-Length"] = str(length)
    return response
