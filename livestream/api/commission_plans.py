"""Commission: rates for sales to come."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict
from livestream import errors, queries
from livestream.api.promoters import BRAND
from livestream.api.sessions import NoFields
from livestream.models import CommissionPlan, LiveSession, Promoter
from livestream.services import commission_plans
from stores.errors import BrandNotFound, BrandRequired
from stores.permissions import Permission
from stores.queries import brand_for_caller

RATE = "Ten-thousandths of what is paid."


class CommissionPlanBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND)
    promoter = serializers.CharField(required=False, allow_null=True, help_text="prm_…; null: anybody's links.")
    session = serializers.CharField(required=False, allow_null=True, help_text="liv_…; null: every session.")
    promoter_rate_bps = serializers.IntegerField(min_value=0, max_value=10_000, help_text=RATE)
    provider_rate_bps = serializers.IntegerField(min_value=0, max_value=10_000, default=0, help_text=RATE)
    starts_at = serializers.DateTimeField(required=False, help_text="Now where it is left out.")
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class CommissionPlansQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND)
    promoter = serializers.CharField(required=False, help_text="prm_…")


class CommissionPlanAnswer(serializers.Serializer[CommissionPlan]):
    id = serializers.CharField(source="public_id", help_text="cpl_…")
    promoter = serializers.SerializerMethodField(help_text="prm_…; null: anybody's links.")
    session = serializers.SerializerMethodField(help_text="liv_…; null: every session.")
    promoter_rate_bps = serializers.IntegerField(help_text=RATE)
    provider_rate_bps = serializers.IntegerField(help_text=RATE)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="As planned.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Where it was ended before its time.")

    def get_promoter(self, plan: CommissionPlan) -> str | None:
        return None if plan.promoter_id is None else ids.public(Promoter.PREFIX, plan.promoter_id)

    def get_session(self, plan: CommissionPlan) -> str | None:
        return None if plan.session_id is None else ids.public(LiveSession.PREFIX, plan.session_id)


class CommissionPlans(APIView):
    """/api/v1/commission-plans"""

    @extend_schema(
        operation_id="create_commission_plan",
        summary="Set rates for sales to come",
        description="The narrowest plan in force at a sale wins: a promoter's own before anybody's, this session's "
        "before every session's, then the newest. The sale freezes its rates; no plan reaches back.",
        request=CommissionPlanBody,
        responses={
            200: CommissionPlanAnswer,
            201: CommissionPlanAnswer,
            **errors_of(
                errors.CommissionTooHigh,
                errors.CommissionTimesInvalid,
                errors.PromoterNotFound,
                errors.PromoterEnded,
                errors.SessionNotFound,
                errors.SessionClosed,
                BrandNotFound,
                BrandRequired,
                IdempotencyConflict,
            ),
        },
        tags=["promoters"],
    )
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        request_id = idempotency_key(request)
        body = body_of(request, CommissionPlanBody).validated_data
        brand_id = brand_for_caller(by, Permission.SELL, at=at, brand=body.pop("brand", None))
        made = commission_plans.create(
            brand_id=brand_id,
            promoter_id=_named(Promoter.PREFIX, body.pop("promoter", None)),
            session_id=_named(LiveSession.PREFIX, body.pop("session", None)),
            request_id=request_id,
            by=by,
            at=at,
            **body,
        )
        return Response(CommissionPlanAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_commission_plans",
        summary="A brand's commission plans, newest first",
        parameters=[CommissionPlansQuery],
        responses={200: page_schema(CommissionPlanAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["promoters"],
    )
    def get(self, request: Request) -> Response:
        query = query_of(request, CommissionPlansQuery).validated_data
        brand_id = brand_for_caller(caller(request), Permission.SELL, at=timezone.now(), brand=query.get("brand"))
        rows = CommissionPlan.objects.filter(brand_id=brand_id)
        if "promoter" in query:
            rows = rows.filter(promoter_id=ids.parse(Promoter.PREFIX, query["promoter"]))
        page = page_of(rows, by="created_at", limit=query["limit"], cursor=query.get("cursor"))
        return Response(page.body(lambda plan: CommissionPlanAnswer(plan).data))


class EndCommissionPlan(APIView):
    """POST /api/v1/commission-plans/{plan}/end"""

    @extend_schema(
        operation_id="end_commission_plan",
        summary="From now on the plan is in force for no sale",
        description="Sales that were made keep its rates. Repeating it changes nothing.",
        request=None,
        responses={200: CommissionPlanAnswer, **errors_of(errors.CommissionPlanNotFound)},
        tags=["promoters"],
    )
    def post(self, request: Request, plan: str) -> Response:
        by, at = caller(request), timezone.now()
        body_of(request, NoFields)
        found = queries.commission_plan_for_caller(plan, by, at=at)
        return Response(CommissionPlanAnswer(commission_plans.end(plan=found, by=by, at=at)).data)


def _named(prefix: str, public_id: str | None) -> UUID | None:
    return None if public_id is None else ids.parse(prefix, public_id)
