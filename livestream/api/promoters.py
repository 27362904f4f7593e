"""达人: who may be named on a link."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from livestream import errors, queries
from livestream.api.sessions import NoFields
from livestream.models import Promoter
from livestream.services import promoters
from stores.errors import BrandNotFound, BrandRequired
from stores.permissions import Permission
from stores.queries import brand_for_caller

BRAND = "brd_…; only for people who serve several brands."


class PromoterBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND)
    code = serializers.RegexField(r"^[A-Za-z0-9._-]{1,32}\Z", help_text="What her links carry; hers for ever.")
    name = serializers.CharField(max_length=64)


class PromotersQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND)


class PromoterAnswer(serializers.Serializer[Promoter]):
    id = serializers.CharField(source="public_id", help_text="prm_…")
    code = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class Promoters(APIView):
    """/api/v1/promoters"""

    @extend_schema(
        operation_id="create_promoter",
        summary="Name a promoter",
        description="Her code is the key: repeating this answers 200 with the same promoter.",
        request=PromoterBody,
        responses={
            200: PromoterAnswer,
            201: PromoterAnswer,
            **errors_of(errors.PromoterCodeTaken, BrandNotFound, BrandRequired),
        },
        tags=["promoters"],
    )
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        body = body_of(request, PromoterBody).validated_data
        brand_id = brand_for_caller(by, Permission.SELL, at=at, brand=body.pop("brand", None))
        made = promoters.create(brand_id=brand_id, by=by, at=at, **body)
        return Response(PromoterAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_promoters",
        summary="A brand's promoters, newest first",
        parameters=[PromotersQuery],
        responses={200: page_schema(PromoterAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["promoters"],
    )
    def get(self, request: Request) -> Response:
        query = query_of(request, PromotersQuery).validated_data
        brand_id = brand_for_caller(caller(request), Permission.SELL, at=timezone.now(), brand=query.get("brand"))
        rows = Promoter.objects.filter(brand_id=brand_id)
        page = page_of(rows, by="created_at", limit=query["limit"], cursor=query.get("cursor"))
        return Response(page.body(lambda promoter: PromoterAnswer(promoter).data))


class EndPromoter(APIView):
    """POST /api/v1/promoters/{promoter}/end"""

    @extend_schema(
        operation_id="end_promoter",
        summary="From now on her links count for nobody",
        description="What was sold through them stays hers. Repeating it changes nothing.",
        request=None,
        responses={200: PromoterAnswer, **errors_of(errors.PromoterNotFound)},
        tags=["promoters"],
    )
    def post(self, request: Request, promoter: str) -> Response:
        by, at = caller(request), timezone.now()
        body_of(request, NoFields)
        found = queries.promoter_for_caller(promoter, by, at=at)
        return Response(PromoterAnswer(promoters.end(promoter=found, by=by, at=at)).data)
