"""The after-sale desk: find the voucher a customer is asking about, and read her what happened to it."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller, caller_id, customer_caller
from config.kernel.api.exceptions import language_of
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, query_of
from config.kernel.ids import parse
from orders.queries import desk, timelines
from orders.queries.happenings import SENTENCES, Happening
from stores.errors import BrandNotFound, BrandRequired
from stores.permissions import Permission
from stores.phones import masked
from stores.queries import brand_for_caller
from vouchers import codes
from vouchers.errors import VoucherNotFound
from vouchers.models import Voucher
from vouchers.queries.access import voucher_for_caller


class HappeningSerializer(serializers.Serializer[Any]):
    """One line; ``facts`` names what it is about by id."""

    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=sorted(SENTENCES))
    sentence = serializers.CharField(help_text="In the caller's language.")
    amount_fen = serializers.IntegerField(allow_null=True)
    facts = serializers.DictField()


class TimelineSerializer(serializers.Serializer[Any]):
    voucher = serializers.CharField()
    happenings = HappeningSerializer(many=True)


class FoundSerializer(serializers.Serializer[Any]):
    """A voucher, and which word named it. Code and phone as they may stand on a screen."""

    voucher = serializers.CharField()
    by = serializers.ChoiceField(choices=desk.WAYS)
    code = serializers.CharField(help_text="Its last four digits.")
    issuer = serializers.CharField()
    title = serializers.CharField()
    status = serializers.ChoiceField(choices=Voucher.Status.choices)
    uses_left = serializers.IntegerField()
    uses_total = serializers.IntegerField()
    paid_fen = serializers.IntegerField()
    issued_at = serializers.DateTimeField()
    customer = serializers.CharField()
    phone = serializers.CharField(help_text="Its last four digits.", allow_blank=True)


class FindingsSerializer(serializers.Serializer[Any]):
    found = FoundSerializer(many=True)
    is_whole = serializers.BooleanField(help_text="False where there are more: ask for something narrower.")


class SearchQuery(StrictSerializer):
    q = serializers.CharField(
        min_length=desk.SHORTEST_CODE_END,
        max_length=64,
        help_text="A phone or its last four digits, a code or its end, an id (vch_, pur_, pay_, ord_, red_, rfd_, "
        "cus_), another platform's order number.",
    )
    brand = serializers.CharField(required=False, help_text="Which, for people who work for several.")


class Search(APIView):
    """GET /api/v1/after-sale/search"""

    @extend_schema(
        operation_id="search_after_sale",
        summary="The vouchers a customer may mean, newest first",
        parameters=[SearchQuery],
        responses={200: FindingsSerializer, **errors_of(BrandNotFound, BrandRequired)},
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, SearchQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.SERVE_CUSTOMERS, at=timezone.now(), brand=asked.get("brand")
        )
        findings = desk.search(brand_id=brand_id, text=asked["q"])
        body = {"found": [_found(one) for one in findings.found], "is_whole": findings.is_whole}
        return Response(FindingsSerializer(body).data)


class DeskTimeline(APIView):
    """GET /api/v1/after-sale/vouchers/{voucher}"""

    @extend_schema(
        operation_id="get_after_sale_timeline",
        summary="A voucher's life, for those who help its customer",
        responses={200: TimelineSerializer, **errors_of(VoucherNotFound)},
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request, voucher: str) -> Response:
        found = voucher_for_caller(caller(request), voucher, permission=Permission.SERVE_CUSTOMERS, at=timezone.now())
        return Response(_timeline(found, request))


class OwnTimeline(APIView):
    """GET /api/v1/vouchers/{voucher}/timeline"""

    @extend_schema(
        operation_id="get_voucher_timeline",
        summary="What happened to a voucher of hers, oldest first",
        responses={200: TimelineSerializer, **errors_of(VoucherNotFound)},
        auth=only("customerToken"),
    )
    def get(self, request: Request, voucher: str) -> Response:
        hers = Voucher.objects.filter(
            pk=parse(Voucher.PREFIX, voucher), customer_id=caller_id(customer_caller(request))
        ).first()
        if hers is None:
            raise VoucherNotFound
        return Response(_timeline(hers, request))


def _timeline(voucher: Voucher, request: Request) -> Any:
    language = language_of(request.headers.get("Accept-Language", ""))
    lines = [_line(happening, language) for happening in timelines.timeline_of(voucher)]
    return TimelineSerializer({"voucher": voucher.public_id, "happenings": lines}).data


def _line(happening: Happening, language: str) -> dict[str, Any]:
    return {
        "at": happening.at,
        "kind": happening.kind,
        "sentence": happening.sentence(language),
        "amount_fen": happening.fen,
        "facts": happening.facts,
    }


def _found(one: desk.Found) -> dict[str, Any]:
    voucher = one.voucher
    return {
        "voucher": voucher.public_id,
        "by": one.by,
        "code": codes.masked(voucher.code),
        "issuer": voucher.issuer,
        "title": voucher.terms.title,
        "status": voucher.status,
        "uses_left": voucher.uses_left,
        "uses_total": voucher.uses_total,
        "paid_fen": voucher.paid_fen,
        "issued_at": voucher.issued_at,
        "customer": voucher.customer.public_id,
        "phone": masked(voucher.customer.phone_tail),
    }
