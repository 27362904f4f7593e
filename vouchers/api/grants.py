"""Giving vouchers away: counted first, decided, followed, taken back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
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
from config.kernel.errors import IdempotencyConflict, MalformedId
from stores.errors import BrandNotFound, BrandRequired
from stores.models import Customer
from stores.permissions import Permission
from stores.queries import brand_for_caller, require_permission
from vouchers import errors
from vouchers.api.deals import BRAND_HELP
from vouchers.models import DealTerms, Grant
from vouchers.queries.grants import counts_of
from vouchers.services import grants
from vouchers.services.grants import MOST_LISTED, MOST_PER_CUSTOMER, Audience

SEGMENT_HELP = (
    'A rule: `{"bought": {"deal": "dea_…"}}` or `{"offer": "off_…"}`; '
    '`{"redeemed": {"deal": …, "stores": ["sto_…"], "regions": ["rgn_…"]}}`, each optional; '
    '`{"holds_open": {"deal": …}}`; `{"was_granted": {"grant": "gra_…"}}`; `{"joined": {}}`. '
    "`bought`, `redeemed` and `joined` take `from` and `until` (a day of the brand's zone, or a moment with its "
    'zone; `until` is exclusive). Combined by `{"all": […]}`, `{"any": […]}` and `{"not": …}`.'
)
REFUSALS = (
    errors.TermsNotFound,
    errors.GrantInvalid,
    errors.SegmentInvalid,
    errors.CustomersNotFound,
    MalformedId,
)


class AudienceBody(StrictSerializer):
    terms = serializers.CharField(help_text="trm_…: what is given. A bundle gives its children.")
    per_customer = serializers.IntegerField(min_value=1, max_value=MOST_PER_CUSTOMER, default=1)
    customers = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        min_length=1,
        max_length=MOST_LISTED,
        help_text="cus_…; instead of external_ids or segment.",
    )
    external_ids = serializers.ListField(
        child=serializers.CharField(max_length=128),
        required=False,
        min_length=1,
        max_length=MOST_LISTED,
        help_text="Your own ids for your customers; those not seen yet are made.",
    )
    segment = serializers.DictField(required=False, help_text=SEGMENT_HELP)


class GrantBody(AudienceBody):
    reason = serializers.CharField(max_length=256, help_text="Why; it stands in the audit trail.")


class GrantsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class PreviewAnswer(serializers.Serializer[grants.Reach]):
    customers = serializers.IntegerField()
    new_customers = serializers.IntegerField(help_text="Of them, those whom this site has not seen yet.")
    vouchers = serializers.IntegerField()


class GrantAnswer(serializers.Serializer[Grant]):
    id = serializers.CharField(source="public_id", help_text="gra_…")
    terms = serializers.SerializerMethodField(help_text="trm_…")
    reason = serializers.CharField()
    segment = serializers.DictField(allow_null=True, help_text="null: it was a list.")
    per_customer = serializers.IntegerField()
    vouchers_each = serializers.IntegerField(help_text="More than per_customer where the terms are a bundle's.")
    customers = serializers.IntegerField(source="customer_count")
    vouchers = serializers.IntegerField(source="voucher_count", help_text="Planned.")
    granted_at = serializers.DateTimeField()
    reversed_at = serializers.DateTimeField(allow_null=True)

    def get_terms(self, grant: Grant) -> str:
        return ids.public(DealTerms.PREFIX, grant.terms_id)


class GrantCountsAnswer(serializers.Serializer[Any]):
    planned = serializers.IntegerField()
    issued = serializers.IntegerField()
    used = serializers.IntegerField(help_text="At least one use was redeemed.")
    open = serializers.IntegerField(help_text="A use is left.")
    expired = serializers.IntegerField()
    reversed = serializers.IntegerField(help_text="Taken back unused.")
    is_done = serializers.BooleanField(help_text="Nothing waits to be issued or taken back.")


class GrantWithCounts(GrantAnswer):
    counts = serializers.SerializerMethodField()

    @extend_schema_field(GrantCountsAnswer)
    def get_counts(self, grant: Grant) -> dict[str, Any]:
        return GrantCountsAnswer(counts_of(grant)).data


class Grants(APIView):
    """/api/v1/grants"""

    @extend_schema(
        operation_id="create_grant",
        summary="Give vouchers to customers by list or by segment; workers issue them",
        request=GrantBody,
        responses={
            200: GrantAnswer,
            201: GrantAnswer,
            **errors_of(*REFUSALS, errors.GrantReachesNobody, IdempotencyConflict),
        },
        tags=["grants"],
    )
    def post(self, request: Request) -> Response:
        by, request_id = caller(request), idempotency_key(request)
        body = body_of(request, GrantBody).validated_data
        made = grants.grant(
            terms=_terms_for_caller(request, body["terms"]),
            audience=_audience(body),
            per_customer=body["per_customer"],
            reason=body["reason"],
            request_id=request_id,
            by=by,
            at=timezone.now(),
        )
        return Response(GrantAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_grants",
        summary="A brand's grants, newest first",
        parameters=[GrantsQuery],
        responses={200: page_schema(GrantAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["grants"],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, GrantsQuery).validated_data
        brand = asked.pop("brand", None)
        rows = Grant.objects.filter(
            brand_id=brand_for_caller(caller(request), Permission.GRANT, at=timezone.now(), brand=brand)
        )
        return Response(page_of(rows, by="granted_at", **asked).body(lambda grant: GrantAnswer(grant).data))


class GrantPreview(APIView):
    """/api/v1/grants/preview"""

    @extend_schema(
        operation_id="preview_grant",
        summary="Count what a grant would reach; writes nothing",
        request=AudienceBody,
        responses={200: PreviewAnswer, **errors_of(*REFUSALS)},
        tags=["grants"],
    )
    def post(self, request: Request) -> Response:
        body = body_of(request, AudienceBody).validated_data
        reach = grants.reach(
            terms=_terms_for_caller(request, body["terms"]),
            audience=_audience(body),
            per_customer=body["per_customer"],
            at=timezone.now(),
        )
        return Response(PreviewAnswer(reach).data)


class OneGrant(APIView):
    """/api/v1/grants/{grant}"""

    @extend_schema(
        operation_id="get_grant",
        summary="One grant and what became of its vouchers",
        responses={200: GrantWithCounts, **errors_of(errors.GrantNotFound)},
        tags=["grants"],
    )
    def get(self, request: Request, grant: str) -> Response:
        return Response(GrantWithCounts(_grant_for_caller(request, grant)).data)


class GrantReversal(APIView):
    """/api/v1/grants/{grant}/reversal"""

    @extend_schema(
        operation_id="reverse_grant",
        summary="Take back what nobody has used yet; workers do it",
        request=None,
        responses={
            200: GrantWithCounts,
            201: GrantWithCounts,
            **errors_of(errors.GrantNotFound, errors.GrantAlreadyReversed, IdempotencyConflict),
        },
        tags=["grants"],
    )
    def post(self, request: Request, grant: str) -> Response:
        request_id = idempotency_key(request)
        found = _grant_for_caller(request, grant)
        done = grants.reverse(grant=found, request_id=request_id, by=caller(request), at=timezone.now())
        return Response(GrantWithCounts(done.row).data, status=201 if done.is_new else 200)


def _audience(body: dict[str, Any]) -> Audience:
    listed = body.get("customers")
    return Audience(
        customer_ids=[ids.parse(Customer.PREFIX, one) for one in listed] if listed is not None else None,
        external_ids=body.get("external_ids"),
        segment=body.get("segment"),
    )


def _grant_for_caller(request: Request, grant: str) -> Grant:
    found = Grant.objects.filter(pk=ids.parse(Grant.PREFIX, grant)).first()
    if found is None:
        raise errors.GrantNotFound
    require_permission(
        caller(request), Permission.GRANT, brand_id=found.brand_id, at=timezone.now(), missing=errors.GrantNotFound
    )
    return found


def _terms_for_caller(request: Request, terms: str) -> DealTerms:
    found = DealTerms.objects.select_related("deal__brand").filter(pk=ids.parse(DealTerms.PREFIX, terms)).first()
    if found is None:
        raise errors.TermsNotFound(param="terms")
    require_permission(
        caller(request), Permission.GRANT, brand_id=found.deal.brand_id, at=timezone.now(), missing=errors.TermsNotFound
    )
    return found
