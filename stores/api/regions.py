"""The brand's tree of regions."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from stores import queries
from stores.api.shown import PublicId
from stores.errors import BrandNotFound, BrandRequired, CodeTaken, RegionNotFound, RegionsWouldCircle, StoreIsPromised
from stores.models import Region
from stores.permissions import Permission
from stores.services import regions


class RegionAnswer(serializers.ModelSerializer[Region]):
    id = serializers.CharField(source="public_id", help_text="rgn_…")
    parent = PublicId("rgn", source="parent_id", allow_null=True)  # type: ignore[assignment]

    class Meta:
        model = Region
        fields = ("id", "code", "name", "parent")


class RegionList(serializers.Serializer[Any]):
    items = RegionAnswer(many=True)


class OfBrand(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class NewRegion(OfBrand):
    code = serializers.CharField(max_length=32)
    name = serializers.CharField(max_length=64)
    parent = PublicId("rgn", source="parent_id", allow_null=True, default=None)  # type: ignore[assignment]


class RegionEdit(StrictSerializer):
    name = serializers.CharField(max_length=64, required=False)
    parent = PublicId("rgn", source="parent_id", allow_null=True, required=False)  # type: ignore[assignment]


class Regions(APIView):
    @extend_schema(
        operation_id="list_regions",
        summary="The whole tree, by code",
        parameters=[OfBrand],
        responses={200: RegionList, **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["regions"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/regions"""
        asked = query_of(request, OfBrand).validated_data
        brand_id = queries.brand_for_caller(caller(request), Permission.VIEW_STORES, at=timezone.now(), **asked)
        found = Region.objects.filter(brand_id=brand_id).order_by("code")
        return Response({"items": RegionAnswer(found, many=True).data})

    @extend_schema(
        operation_id="add_region",
        summary="A new region; the same again is the same region",
        request=NewRegion,
        responses={
            201: RegionAnswer,
            200: RegionAnswer,
            **errors_of(BrandNotFound, BrandRequired, CodeTaken, NotAllowed, RegionNotFound),
        },
        tags=["regions"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/regions"""
        by, at = caller(request), timezone.now()
        new = body_of(request, NewRegion).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_STORES, at=at, brand=new.pop("brand", None))
        made = regions.add(brand_id=brand_id, by=by, at=at, **new)
        return Response(RegionAnswer(made.row).data, status=201 if made.is_new else 200)


class OneRegion(APIView):
    @extend_schema(
        operation_id="edit_region",
        summary="Rename a region, or move it with everything below it",
        request=RegionEdit,
        responses={200: RegionAnswer, **errors_of(NotAllowed, RegionNotFound, RegionsWouldCircle, StoreIsPromised)},
        tags=["regions"],
    )
    def patch(self, request: Request, region: str) -> Response:
        """PATCH /api/v1/regions/{region}"""
        by, at = caller(request), timezone.now()
        found = Region.objects.filter(id=ids.parse(Region.PREFIX, region)).first()
        if found is None:
            raise RegionNotFound
        queries.require_permission(by, Permission.EDIT_STORES, brand_id=found.brand_id, at=at, missing=RegionNotFound)
        changes = body_of(request, RegionEdit).validated_data
        edited = regions.edit(brand_id=found.brand_id, region_id=found.id, changes=changes, by=by, at=at)
        return Response(RegionAnswer(edited).data)
