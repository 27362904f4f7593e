"""The brands a caller serves."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller, staff_caller
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import NotAllowed
from stores import queries
from stores.errors import BrandNotFound, ZoneUnknown
from stores.models import Brand
from stores.permissions import Permission
from stores.services import brands


class BrandAnswer(serializers.ModelSerializer[Brand]):
    id = serializers.CharField(source="public_id", help_text="brd_…")

    class Meta:
        model = Brand
        fields = ("id", "slug", "name", "zone", "theme", "counter_needs_stock", "created_at")


class BrandList(serializers.Serializer[Any]):
    items = BrandAnswer(many=True)


class BrandEdit(StrictSerializer):
    name = serializers.CharField(max_length=64, required=False)
    zone = serializers.CharField(max_length=48, required=False, help_text="IANA name; for stores that name none.")
    counter_needs_stock = serializers.BooleanField(
        required=False, help_text="Whether a counter redeems a package only while what is in it is counted as there."
    )


class MyBrands(APIView):
    @extend_schema(
        operation_id="my_brands",
        summary="The brands you serve, or the one your key or token belongs to",
        responses={200: BrandList},
        auth=only("customerToken", "staffToken", "apiKey", "deviceKey", "counterToken"),
        tags=["brands"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/brands/me"""
        found = queries.brands_of_caller(caller(request), at=timezone.now())
        return Response({"items": BrandAnswer(found, many=True).data})


class OneBrand(APIView):
    @extend_schema(
        operation_id="edit_brand",
        summary="Change what the brand is called or its default zone",
        request=BrandEdit,
        responses={200: BrandAnswer, **errors_of(BrandNotFound, NotAllowed, ZoneUnknown)},
        auth=only("staffToken"),
        tags=["brands"],
    )
    def patch(self, request: Request, brand: str) -> Response:
        """PATCH /api/v1/brands/{brand}"""
        by, at = staff_caller(request), timezone.now()
        ids.parse(Brand.PREFIX, brand)
        brand_id = queries.brand_for_caller(by, Permission.EDIT_BRAND, at=at, brand=brand)
        changes = body_of(request, BrandEdit).validated_data
        edited = brands.edit(brand_id=brand_id, changes=changes, by=by, at=at)
        return Response(BrandAnswer(edited).data)
