"""After-sale cases over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.caller import Caller
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.ids import public
from orders import errors
from orders.models import AfterSaleCase, Refund
from orders.queries.cases import case_for_caller, cases_of_brand
from orders.services import cases
from orders.services.cases import Complaint
from stores.api.shown import PublicId
from stores.errors import BrandNotFound, BrandRequired
from stores.models import Brand, Customer, Store
from stores.permissions import Permission
from stores.queries import brand_for_caller
from vouchers.errors import (
    GrantInvalid,
    RedemptionAlreadyReversed,
    RedemptionNotFound,
    RefundAtIssuer,
    TermsNotFound,
)
from vouchers.models import DealTerms, Grant, Redemption, Voucher

MOST_FEN = 10_000_000
DOES = (
    errors.UseNotSettled,
    errors.NothingPaidHere,
    errors.AfterUseTooMuch,
    RedemptionAlreadyReversed,
    RefundAtIssuer,
    GrantInvalid,
)


class CaseRequest(StrictSerializer):
    """What went wrong with one use, whose fault it was, and what is to be done."""

    redemption = PublicId("red", source="redemption_id")
    reason = serializers.CharField(max_length=256)
    fault = serializers.ChoiceField(choices=AfterSaleCase.Fault.choices)
    outcome = serializers.ChoiceField(choices=AfterSaleCase.Outcome.choices)
    amount_fen = serializers.IntegerField(
        min_value=1, max_value=MOST_FEN, required=False, help_text="With `refund`: at most what was paid for the use."
    )
    compensation = PublicId(
        "trm", source="compensation_id", required=False, help_text="With `compensation`: terms of the voucher she gets."
    )
    brand = serializers.CharField(required=False, help_text="Which, for people who work for several.")


class CaseAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="cas_…")
    status = serializers.ChoiceField(
        choices=AfterSaleCase.Status.choices, help_text="`awaiting_approval`: beyond what its agent may decide."
    )
    voucher = serializers.CharField()
    redemption = serializers.CharField()
    store = serializers.CharField()
    customer = serializers.CharField()
    reason = serializers.CharField()
    fault = serializers.ChoiceField(choices=AfterSaleCase.Fault.choices)
    outcome = serializers.ChoiceField(choices=AfterSaleCase.Outcome.choices)
    value_fen = serializers.IntegerField(help_text="What it costs the party at fault.")
    compensation = serializers.CharField(allow_null=True)
    refund = serializers.CharField(allow_null=True, help_text="rfd_…, once done.")
    grant = serializers.CharField(allow_null=True, help_text="gra_…, once done.")
    opened_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    declined_because = serializers.CharField(allow_blank=True)


class CaseQuery(PageQuery):
    status = serializers.ChoiceField(
        choices=AfterSaleCase.Status.choices, required=False, help_text="`awaiting_approval`: the work list."
    )
    brand = serializers.CharField(required=False, help_text="Which, for people who work for several.")


class Declining(StrictSerializer):
    because = serializers.CharField(max_length=256)


class Cases(APIView):
    """/api/v1/after-sale/cases"""

    @extend_schema(
        operation_id="open_case",
        summary="Decide a complaint, or hand it up",
        request=CaseRequest,
        responses={
            200: CaseAnswer,
            201: CaseAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                NotAllowed,
                errors.CaseInvalid,
                RedemptionNotFound,
                TermsNotFound,
                IdempotencyConflict,
                *DOES,
            ),
        },
        auth=only("staffToken", "apiKey"),
        tags=["after-sale"],
    )
    def post(self, request: Request) -> Response:
        asked, at, by = body_of(request, CaseRequest).validated_data, timezone.now(), caller(request)
        brand_id = brand_for_caller(by, Permission.SERVE_CUSTOMERS, at=at, brand=asked.pop("brand", None))
        made = cases.open_case(
            brand_id=brand_id,
            complaint=Complaint(**asked),
            may_approve=_may_approve(by, brand_id, at),
            request_id=idempotency_key(request),
            by=by,
            at=at,
        )
        return Response(_shown(made.row), status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_cases",
        summary="The brand's after-sale cases, newest first",
        parameters=[CaseQuery],
        responses={200: page_schema(CaseAnswer), **errors_of(BrandNotFound, BrandRequired)},
        auth=only("staffToken", "apiKey"),
        tags=["after-sale"],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, CaseQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.SERVE_CUSTOMERS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        rows = cases_of_brand(brand_id, status=asked.pop("status", None))
        return Response(page_of(rows, by="opened_at", **asked).body(_shown))


class OneCase(APIView):
    """GET /api/v1/after-sale/cases/{case}"""

    @extend_schema(
        operation_id="get_case",
        summary="One after-sale case",
        responses={200: CaseAnswer, **errors_of(errors.CaseNotFound)},
        auth=only("staffToken", "apiKey"),
        tags=["after-sale"],
    )
    def get(self, request: Request, case: str) -> Response:
        found = case_for_caller(caller(request), case, permission=Permission.SERVE_CUSTOMERS, at=timezone.now())
        return Response(_shown(found))


class ApproveCase(APIView):
    """POST /api/v1/after-sale/cases/{case}/approve"""

    @extend_schema(
        operation_id="approve_case",
        summary="Do what a waiting case asks for",
        request=None,
        responses={
            200: CaseAnswer,
            **errors_of(errors.CaseNotFound, errors.CaseIsDecided, errors.CaseNeedsAnother, NotAllowed, *DOES),
        },
        auth=only("staffToken"),
        tags=["after-sale"],
    )
    def post(self, request: Request, case: str) -> Response:
        at, by = timezone.now(), caller(request)
        found = case_for_caller(by, case, permission=Permission.APPROVE_CASES, at=at)
        return Response(_shown(cases.approve(case=found, by=by, at=at)))


class DeclineCase(APIView):
    """POST /api/v1/after-sale/cases/{case}/decline"""

    @extend_schema(
        operation_id="decline_case",
        summary="Turn a waiting case down",
        request=Declining,
        responses={200: CaseAnswer, **errors_of(errors.CaseNotFound, errors.CaseIsDecided, NotAllowed)},
        auth=only("staffToken"),
        tags=["after-sale"],
    )
    def post(self, request: Request, case: str) -> Response:
        at, by = timezone.now(), caller(request)
        found = case_for_caller(by, case, permission=Permission.APPROVE_CASES, at=at)
        because = body_of(request, Declining).validated_data["because"]
        return Response(_shown(cases.decline(case=found, because=because, by=by, at=at)))


def _may_approve(by: Caller, brand_id: UUID, at: datetime) -> bool:
    try:
        brand_for_caller(by, Permission.APPROVE_CASES, at=at, brand=public(Brand.PREFIX, brand_id))
    except NotAllowed:
        return False
    return True


def _shown(case: AfterSaleCase) -> Any:
    return CaseAnswer(
        {
            "id": case.public_id,
            "status": case.status,
            "voucher": public(Voucher.PREFIX, case.voucher_id),
            "redemption": public(Redemption.PREFIX, case.redemption_id),
            "store": public(Store.PREFIX, case.store_id),
            "customer": public(Customer.PREFIX, case.customer_id),
            "reason": case.reason,
            "fault": case.fault,
            "outcome": case.outcome,
            "value_fen": case.value_fen,
            "compensation": (
                public(DealTerms.PREFIX, case.compensation_terms_id) if case.compensation_terms_id else None
            ),
            "refund": public(Refund.PREFIX, case.refund_id) if case.refund_id else None,
            "grant": public(Grant.PREFIX, case.grant_id) if case.grant_id else None,
            "opened_at": case.opened_at,
            "decided_at": case.decided_at,
            "declined_because": case.declined_because,
        }
    ).data
