"""Stores: listed, opened, edited, paused, reopened, closed."""

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
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
from config.kernel.errors import NotAllowed
from stores import queries
from stores.api.shown import Nothing, PublicId
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    CodeTaken,
    EntityNotFound,
    PlaceIncomplete,
    RegionNotFound,
    StoreHoursInvalid,
    StoreIsClosed,
    StoreIsPromised,
    StoreNotFound,
    ZoneUnknown,
)
from stores.models import Store
from stores.permissions import Permission
from stores.services import opening
from stores.services.opening import NewStore

HOURS_HELP = 'Weekdays "1" (Monday) to "7" to spans: {"1": [["10:00", "26:00"]]}; {} is always open.'


class StoreAnswer(serializers.ModelSerializer[Store]):
    id = serializers.CharField(source="public_id", help_text="sto_…")
    region = PublicId("rgn", source="region_id", allow_null=True)
    latitude = serializers.FloatField(allow_null=True)
    longitude = serializers.FloatField(allow_null=True)
    hours = serializers.DictField(help_text=HOURS_HELP)

    class Meta:
        model = Store
        fields = (
            *("id", "code", "name", "name_en", "city", "address", "region", "latitude", "longitude", "zone", "hours"),
            *("is_dearer", "status", "created_at", "closed_at"),
        )


StorePage = page_schema(StoreAnswer)


class StoresQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…; all brands you serve without it.")
    city = serializers.CharField(max_length=64, required=False, help_text="As the store has it: 杭州市.")
    status = serializers.ChoiceField(choices=Store.Status.choices, required=False)
    search = serializers.CharField(max_length=64, required=False, help_text="Part of the name, the code or the city.")


class StoreEdit(StrictSerializer):
    name = serializers.CharField(max_length=128, required=False)
    name_en = serializers.CharField(max_length=128, required=False, allow_blank=True)
    city = serializers.CharField(max_length=64, required=False, allow_blank=True)
    address = serializers.CharField(max_length=256, required=False, allow_blank=True)
    region = PublicId("rgn", source="region_id", required=False, allow_null=True)
    latitude = serializers.DecimalField(9, 6, min_value=-90, max_value=90, required=False, allow_null=True)
    longitude = serializers.DecimalField(9, 6, min_value=-180, max_value=180, required=False, allow_null=True)
    zone = serializers.CharField(max_length=48, required=False, help_text="IANA name, such as Asia/Shanghai.")
    hours = serializers.DictField(required=False, help_text=HOURS_HELP)
    is_dearer = serializers.BooleanField(
        required=False, help_text="It charges more; a deal's `dearer_stores` says what that means for its vouchers."
    )


class StoreOpen(StoreEdit):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    code = serializers.CharField(max_length=32, help_text="Your own name for the store; unique in the brand.")
    name = serializers.CharField(max_length=128)
    entity = PublicId("ent", source="entity_id", required=False, help_text="ent_… of its money from today on.")


class Reason(StrictSerializer):
    reason = serializers.CharField(max_length=256)


class Stores(APIView):
    @extend_schema(
        operation_id="list_stores",
        summary="The stores you reach, newest first",
        parameters=[StoresQuery],
        responses={200: StorePage, **errors_of(BrandNotFound, NotAllowed)},
        tags=["stores"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/stores"""
        asked = query_of(request, StoresQuery).validated_data
        page_asked = {name: asked.pop(name) for name in ("limit", "cursor") if name in asked}
        stores = queries.stores_of_caller(caller(request), at=timezone.now(), brand=asked.pop("brand", None))
        page = page_of(narrowed(stores, **asked), by="created_at", **page_asked)
        return Response(page.body(lambda store: StoreAnswer(store).data))

    @extend_schema(
        operation_id="open_store",
        summary="Open a store; the same again is the same store",
        request=StoreOpen,
        responses={
            201: StoreAnswer,
            200: StoreAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                CodeTaken,
                EntityNotFound,
                NotAllowed,
                PlaceIncomplete,
                RegionNotFound,
                StoreHoursInvalid,
                ZoneUnknown,
            ),
        },
        tags=["stores"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/stores"""
        by, at = caller(request), timezone.now()
        new = body_of(request, StoreOpen).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_STORES, at=at, brand=new.pop("brand", None))
        made = opening.open_store(brand_id=brand_id, new=NewStore(**new), by=by, at=at)
        return Response(StoreAnswer(made.row).data, status=201 if made.is_new else 200)


class OneStore(APIView):
    @extend_schema(
        operation_id="get_store",
        summary="One store",
        responses={200: StoreAnswer, **errors_of(NotAllowed, StoreNotFound)},
        tags=["stores"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}"""
        found = queries.store_for_caller(caller(request), store, permission=Permission.VIEW_STORES, at=timezone.now())
        return Response(StoreAnswer(found).data)

    @extend_schema(
        operation_id="edit_store",
        summary="Correct what is said of a store",
        request=StoreEdit,
        responses={
            200: StoreAnswer,
            **errors_of(
                NotAllowed,
                PlaceIncomplete,
                RegionNotFound,
                StoreHoursInvalid,
                StoreIsPromised,
                StoreNotFound,
                ZoneUnknown,
            ),
        },
        tags=["stores"],
    )
    def patch(self, request: Request, store: str) -> Response:
        """PATCH /api/v1/stores/{store}"""
        by, at = caller(request), timezone.now()
        found = queries.store_for_caller(by, store, permission=Permission.EDIT_STORES, at=at)
        changes = body_of(request, StoreEdit).validated_data
        return Response(StoreAnswer(opening.edit(store_id=found.id, changes=changes, by=by, at=at)).data)


class PauseStore(APIView):
    @extend_schema(
        operation_id="pause_store",
        summary="Nothing is redeemed here until it opens again",
        request=Reason,
        responses={200: StoreAnswer, **errors_of(NotAllowed, StoreIsClosed, StoreNotFound)},
        tags=["stores"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/pause"""
        return _moved(request, store, Permission.PAUSE_STORES, opening.pause, Reason)


class ReopenStore(APIView):
    @extend_schema(
        operation_id="reopen_store",
        summary="Open a paused store again",
        request=None,
        responses={200: StoreAnswer, **errors_of(NotAllowed, StoreIsClosed, StoreNotFound)},
        tags=["stores"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/reopen"""
        return _moved(request, store, Permission.PAUSE_STORES, opening.reopen, Nothing)


class CloseStore(APIView):
    @extend_schema(
        operation_id="close_store",
        summary="Close a store for good; its books stay",
        request=Reason,
        responses={200: StoreAnswer, **errors_of(NotAllowed, StoreNotFound)},
        tags=["stores"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/close"""
        return _moved(request, store, Permission.EDIT_STORES, opening.close, Reason)


def narrowed(
    stores: QuerySet[Store], *, city: str | None = None, status: str | None = None, search: str | None = None
) -> QuerySet[Store]:
    if city is not None:
        stores = stores.filter(city=city)
    if status is not None:
        stores = stores.filter(status=status)
    if search is not None:
        stores = stores.filter(
            Q(name__icontains=search)
            | Q(name_en__icontains=search)
            | Q(code__icontains=search)
            | Q(city__icontains=search)
        )
    return stores


def _moved(
    request: Request, store: str, permission: Permission, act: Callable[..., Store], body: type[StrictSerializer]
) -> Response:
    by, at = caller(request), timezone.now()
    found = queries.store_for_caller(by, store, permission=permission, at=at)
    said: dict[str, Any] = body_of(request, body).validated_data
    return Response(StoreAnswer(act(store_id=found.id, by=by, at=at, **said)).data)
