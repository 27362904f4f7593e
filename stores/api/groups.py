"""Groups of stores."""

from django.db.models import Count, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from stores import queries
from stores.api.shown import PublicId
from stores.api.stores import StoreAnswer, StorePage
from stores.errors import BrandNotFound, BrandRequired, CodeTaken, StoreGroupNotFound, StoreIsPromised, StoreNotFound
from stores.models import Store, StoreGroup
from stores.permissions import Permission
from stores.services import groups

MOST_AT_ONCE = 1_000


class GroupAnswer(serializers.ModelSerializer[StoreGroup]):
    id = serializers.CharField(source="public_id", help_text="grp_…")
    size = serializers.IntegerField(help_text="How many stores are in it.")

    class Meta:
        model = StoreGroup
        fields = ("id", "code", "name", "size", "created_at")


class GroupsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class NewGroup(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    code = serializers.CharField(max_length=32, help_text="Your own name for it; unique in the brand.")
    name = serializers.CharField(max_length=64)


class MembersChange(StrictSerializer):
    joining = serializers.ListField(child=PublicId("sto"), max_length=MOST_AT_ONCE, default=list)
    leaving = serializers.ListField(child=PublicId("sto"), max_length=MOST_AT_ONCE, default=list)


class Groups(APIView):
    @extend_schema(
        operation_id="list_store_groups",
        summary="A brand's groups of stores, newest first",
        parameters=[GroupsQuery],
        responses={200: page_schema(GroupAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["stores"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/store-groups"""
        asked = query_of(request, GroupsQuery).validated_data
        brand = asked.pop("brand", None)
        brand_id = queries.brand_for_caller(caller(request), Permission.VIEW_STORES, at=timezone.now(), brand=brand)
        page = page_of(_counted(StoreGroup.objects.filter(brand_id=brand_id)), by="created_at", **asked)
        return Response(page.body(lambda group: GroupAnswer(group).data))

    @extend_schema(
        operation_id="add_store_group",
        summary="A new group, still empty; the same again is the same group",
        request=NewGroup,
        responses={
            200: GroupAnswer,
            201: GroupAnswer,
            **errors_of(BrandNotFound, BrandRequired, CodeTaken, NotAllowed),
        },
        tags=["stores"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/store-groups"""
        by, at = caller(request), timezone.now()
        new = body_of(request, NewGroup).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_STORES, at=at, brand=new.pop("brand", None))
        made = groups.add(brand_id=brand_id, by=by, at=at, **new)
        shown = _counted(StoreGroup.objects.filter(pk=made.row.pk)).get()
        return Response(GroupAnswer(shown).data, status=201 if made.is_new else 200)


class OneGroup(APIView):
    @extend_schema(
        operation_id="get_store_group",
        summary="One group",
        responses={200: GroupAnswer, **errors_of(NotAllowed, StoreGroupNotFound)},
        tags=["stores"],
    )
    def get(self, request: Request, group: str) -> Response:
        """GET /api/v1/store-groups/{group}"""
        return Response(GroupAnswer(_group(request, group, Permission.VIEW_STORES)).data)


class GroupMembers(APIView):
    @extend_schema(
        operation_id="list_store_group_members",
        summary="The stores of a group, newest first",
        parameters=[PageQuery],
        responses={200: StorePage, **errors_of(NotAllowed, StoreGroupNotFound)},
        tags=["stores"],
    )
    def get(self, request: Request, group: str) -> Response:
        """GET /api/v1/store-groups/{group}/members"""
        found = _group(request, group, Permission.VIEW_STORES)
        asked = query_of(request, PageQuery).validated_data
        page = page_of(Store.objects.filter(group_members__group=found), by="created_at", **asked)
        return Response(page.body(lambda store: StoreAnswer(store).data))

    @extend_schema(
        operation_id="change_store_group_members",
        summary="Take stores in, let stores go; repeating changes nothing",
        description="Refused where published terms with open vouchers would lose a store by it.",
        request=MembersChange,
        responses={200: GroupAnswer, **errors_of(NotAllowed, StoreGroupNotFound, StoreIsPromised, StoreNotFound)},
        tags=["stores"],
    )
    def patch(self, request: Request, group: str) -> Response:
        """PATCH /api/v1/store-groups/{group}/members"""
        found = _group(request, group, Permission.EDIT_STORES)
        change = body_of(request, MembersChange).validated_data
        groups.change_members(
            brand_id=found.brand_id, group_id=found.id, by=caller(request), at=timezone.now(), **change
        )
        return Response(GroupAnswer(_counted(StoreGroup.objects.filter(pk=found.pk)).get()).data)


def _counted(found: QuerySet[StoreGroup]) -> QuerySet[StoreGroup]:
    return found.annotate(size=Count("members"))


def _group(request: Request, group: str, permission: Permission) -> StoreGroup:
    found = _counted(StoreGroup.objects.filter(pk=ids.parse(StoreGroup.PREFIX, group))).first()
    if found is None:
        raise StoreGroupNotFound
    queries.require_permission(
        caller(request), permission, brand_id=found.brand_id, at=timezone.now(), missing=StoreGroupNotFound
    )
    return found
