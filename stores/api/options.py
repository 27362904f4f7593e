"""Questions about products and their answers."""

from typing import Any

from django.db.models import Prefetch
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
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
    OptionGroupInvalid,
    OptionGroupNotFound,
    OptionNotFound,
    OptionWithdrawn,
)
from stores.models import Option, OptionGroup
from stores.permissions import Permission
from stores.queries.products import option_for_caller, option_group_for_caller
from stores.services import options
from stores.services.options import NewOption

MOST_FEN = 1_000_000
MOST_ANSWERS = 50


class OptionAnswer(serializers.ModelSerializer[Option]):
    id = serializers.CharField(source="public_id", help_text="opt_…")
    group = PublicId("opg", source="group_id")

    class Meta:
        model = Option
        fields = (
            *("id", "group", "code", "name", "name_en", "price_delta_fen", "is_default", "is_sold", "position"),
            *("created_at", "withdrawn_at"),
        )


class OptionGroupAnswer(serializers.ModelSerializer[OptionGroup]):
    id = serializers.CharField(source="public_id", help_text="opg_…")
    is_required = serializers.BooleanField()
    options = serializers.SerializerMethodField()

    class Meta:
        model = OptionGroup
        fields = (
            *("id", "code", "name", "name_en", "choose_least", "choose_most", "is_required", "options"),
            "created_at",
        )

    @extend_schema_field(OptionAnswer(many=True))
    def get_options(self, group: OptionGroup) -> Any:
        answers = sorted(group.options.all(), key=lambda option: (option.position, option.code))
        return OptionAnswer(answers, many=True).data


class GroupsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class GroupEdit(StrictSerializer):
    name = serializers.CharField(max_length=64, required=False)
    name_en = serializers.CharField(max_length=64, required=False, allow_blank=True)
    choose_least = serializers.IntegerField(min_value=0, max_value=MOST_ANSWERS, required=False)
    choose_most = serializers.IntegerField(min_value=1, max_value=MOST_ANSWERS, required=False)


class GroupCreate(GroupEdit):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    code = serializers.CharField(max_length=64, help_text="Your own name for it; unique in the brand, for good.")
    name = serializers.CharField(max_length=64)
    choose_least = serializers.IntegerField(
        min_value=0, max_value=MOST_ANSWERS, default=0, help_text="1 or more: it must be answered."
    )
    choose_most = serializers.IntegerField(min_value=1, max_value=MOST_ANSWERS, default=1)


class OptionEdit(StrictSerializer):
    name = serializers.CharField(max_length=64, required=False)
    name_en = serializers.CharField(max_length=64, required=False, allow_blank=True)
    price_delta_fen = serializers.IntegerField(min_value=-MOST_FEN, max_value=MOST_FEN, required=False)
    is_default = serializers.BooleanField(required=False)
    is_sold = serializers.BooleanField(required=False, help_text="By the brand, in any store.")
    position = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)


class OptionCreate(OptionEdit):
    code = serializers.CharField(max_length=64, help_text="Your own name for it; unique in the group, for good.")
    name = serializers.CharField(max_length=64)


ANSWERS = Prefetch("options", Option.objects.order_by("position", "code"))


class OptionGroups(APIView):
    @extend_schema(
        operation_id="list_option_groups",
        summary="The brand's option groups with their options, newest first",
        parameters=[GroupsQuery],
        responses={200: page_schema(OptionGroupAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["products"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/option-groups"""
        asked = query_of(request, GroupsQuery).validated_data
        brand_id = queries.brand_for_caller(
            caller(request), Permission.VIEW_STORES, at=timezone.now(), brand=asked.pop("brand", None)
        )
        found = OptionGroup.objects.filter(brand_id=brand_id).prefetch_related(ANSWERS)
        return Response(page_of(found, by="created_at", **asked).body(lambda group: OptionGroupAnswer(group).data))

    @extend_schema(
        operation_id="create_option_group",
        summary="A question about products; the same again is the same group",
        request=GroupCreate,
        responses={
            201: OptionGroupAnswer,
            200: OptionGroupAnswer,
            **errors_of(BrandNotFound, BrandRequired, CodeTaken, NotAllowed, OptionGroupInvalid),
        },
        tags=["products"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/option-groups"""
        by, at = caller(request), timezone.now()
        new = body_of(request, GroupCreate).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_PRODUCTS, at=at, brand=new.pop("brand", None))
        made = options.create_group(brand_id=brand_id, by=by, at=at, **new)
        return Response(OptionGroupAnswer(made.row).data, status=201 if made.is_new else 200)


class OneOptionGroup(APIView):
    @extend_schema(
        operation_id="edit_option_group",
        summary="Rename a question, or ask for fewer or more answers",
        request=GroupEdit,
        responses={200: OptionGroupAnswer, **errors_of(NotAllowed, OptionGroupInvalid, OptionGroupNotFound)},
        tags=["products"],
    )
    def patch(self, request: Request, group: str) -> Response:
        """PATCH /api/v1/option-groups/{group}"""
        by, at = caller(request), timezone.now()
        found = option_group_for_caller(by, group, permission=Permission.EDIT_PRODUCTS, at=at)
        changes: Any = body_of(request, GroupEdit).validated_data
        edited = options.edit_group(group_id=found.id, changes=changes, by=by, at=at)
        return Response(OptionGroupAnswer(edited).data)


class GroupOptions(APIView):
    @extend_schema(
        operation_id="create_option",
        summary="An answer; the same again is the same option",
        request=OptionCreate,
        responses={
            201: OptionAnswer,
            200: OptionAnswer,
            **errors_of(CodeTaken, NotAllowed, OptionGroupInvalid, OptionGroupNotFound),
        },
        tags=["products"],
    )
    def post(self, request: Request, group: str) -> Response:
        """POST /api/v1/option-groups/{group}/options"""
        by, at = caller(request), timezone.now()
        found = option_group_for_caller(by, group, permission=Permission.EDIT_PRODUCTS, at=at)
        new = NewOption(**body_of(request, OptionCreate).validated_data)
        made = options.add(group_id=found.id, new=new, by=by, at=at)
        return Response(OptionAnswer(made.row).data, status=201 if made.is_new else 200)


class OneOption(APIView):
    @extend_schema(
        operation_id="edit_option",
        summary="Rename or price an answer, make it the default, or take it off every menu",
        request=OptionEdit,
        responses={200: OptionAnswer, **errors_of(NotAllowed, OptionGroupInvalid, OptionNotFound, OptionWithdrawn)},
        tags=["products"],
    )
    def patch(self, request: Request, option: str) -> Response:
        """PATCH /api/v1/options/{option}"""
        by, at = caller(request), timezone.now()
        found = option_for_caller(by, option, permission=Permission.EDIT_PRODUCTS, at=at)
        changes: Any = body_of(request, OptionEdit).validated_data
        return Response(OptionAnswer(options.edit(option_id=found.id, changes=changes, by=by, at=at)).data)


class WithdrawOption(APIView):
    @extend_schema(
        operation_id="withdraw_option",
        summary="Take an answer off every menu for good; its id stays",
        request=None,
        responses={200: OptionAnswer, **errors_of(NotAllowed, OptionNotFound)},
        tags=["products"],
    )
    def post(self, request: Request, option: str) -> Response:
        """POST /api/v1/options/{option}/withdraw"""
        by, at = caller(request), timezone.now()
        body_of(request, Nothing)
        found = option_for_caller(by, option, permission=Permission.EDIT_PRODUCTS, at=at)
        return Response(OptionAnswer(options.withdraw(option_id=found.id, by=by, at=at)).data)
