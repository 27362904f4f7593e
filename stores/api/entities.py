"""Settlement entities, and whose a store's money is from which day on."""

from typing import Any

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
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    CodeTaken,
    EarlierDaysStand,
    EntityNotFound,
    StoreNotFound,
    TaxNumberInvalid,
)
from stores.models import SettlementEntity, StoreEntity
from stores.permissions import Permission
from stores.services import entities


class EntityAnswer(serializers.ModelSerializer[SettlementEntity]):
    id = serializers.CharField(source="public_id", help_text="ent_…")

    class Meta:
        model = SettlementEntity
        fields = ("id", "code", "name", "kind", "tax_name", "tax_number", "joins_by_contract", "created_at")


class EntitiesQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class NewEntity(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    code = serializers.CharField(max_length=32)
    name = serializers.CharField(max_length=128)
    kind = serializers.ChoiceField(choices=SettlementEntity.Kind.choices)
    tax_name = serializers.CharField(max_length=128, default="", allow_blank=True, help_text="On its invoices.")
    tax_number = serializers.CharField(
        max_length=32, default="", allow_blank=True, help_text="Its unified social credit code."
    )


class EntityEdit(StrictSerializer):
    name = serializers.CharField(max_length=128, required=False)
    tax_name = serializers.CharField(max_length=128, required=False, allow_blank=True)
    tax_number = serializers.CharField(max_length=32, required=False, allow_blank=True)
    joins_by_contract = serializers.BooleanField(
        required=False, help_text="Its stores take part in every deal they are asked about."
    )


class MembershipAnswer(serializers.ModelSerializer[StoreEntity]):
    entity = PublicId("ent", source="entity_id")

    class Meta:
        model = StoreEntity
        fields = ("entity", "from_date")


class MembershipList(serializers.Serializer[Any]):
    items = MembershipAnswer(many=True)


class HandOver(StrictSerializer):
    entity = PublicId("ent", source="entity_id")
    from_date = serializers.DateField(help_text="The store's business day from which on its money is the entity's.")


class Entities(APIView):
    @extend_schema(
        operation_id="list_entities",
        summary="Who is paid for what stores redeem",
        parameters=[EntitiesQuery],
        responses={200: page_schema(EntityAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["entities"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/entities"""
        asked = query_of(request, EntitiesQuery).validated_data
        brand_id = queries.brand_for_caller(
            caller(request), Permission.VIEW_ENTITIES, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(SettlementEntity.objects.filter(brand_id=brand_id), by="created_at", **asked)
        return Response(page.body(lambda entity: EntityAnswer(entity).data))

    @extend_schema(
        operation_id="add_entity",
        summary="A new settlement entity; the same again is the same entity",
        request=NewEntity,
        responses={
            201: EntityAnswer,
            200: EntityAnswer,
            **errors_of(BrandNotFound, BrandRequired, CodeTaken, NotAllowed, TaxNumberInvalid),
        },
        tags=["entities"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/entities"""
        by, at = caller(request), timezone.now()
        new = body_of(request, NewEntity).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_ENTITIES, at=at, brand=new.pop("brand", None))
        kind = SettlementEntity.Kind(new.pop("kind"))
        made = entities.add(brand_id=brand_id, kind=kind, by=by, at=at, **new)
        return Response(EntityAnswer(made.row).data, status=201 if made.is_new else 200)


class OneEntity(APIView):
    @extend_schema(
        operation_id="edit_entity",
        summary="Rename an entity, correct its tax name or number, or say whether its contract makes it take part",
        request=EntityEdit,
        responses={200: EntityAnswer, **errors_of(EntityNotFound, NotAllowed, TaxNumberInvalid)},
        tags=["entities"],
    )
    def patch(self, request: Request, entity: str) -> Response:
        """PATCH /api/v1/entities/{entity}"""
        by, at = caller(request), timezone.now()
        found = SettlementEntity.objects.filter(id=ids.parse(SettlementEntity.PREFIX, entity)).first()
        if found is None:
            raise EntityNotFound
        queries.require_permission(by, Permission.EDIT_ENTITIES, brand_id=found.brand_id, at=at, missing=EntityNotFound)
        changes = body_of(request, EntityEdit).validated_data
        edited = entities.edit(brand_id=found.brand_id, entity_id=found.id, changes=changes, by=by, at=at)
        return Response(EntityAnswer(edited).data)


class StoreEntities(APIView):
    @extend_schema(
        operation_id="list_store_entities",
        summary="Whose a store's money was, is and will be",
        responses={200: MembershipList, **errors_of(NotAllowed, StoreNotFound)},
        tags=["entities"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/entities"""
        found = queries.store_for_caller(caller(request), store, permission=Permission.VIEW_ENTITIES, at=timezone.now())
        return Response({"items": MembershipAnswer(found.entities.order_by("from_date"), many=True).data})

    @extend_schema(
        operation_id="hand_over_store",
        summary="From a day on the store's money is another entity's; days that have begun stand",
        request=HandOver,
        responses={200: MembershipAnswer, **errors_of(EarlierDaysStand, EntityNotFound, NotAllowed, StoreNotFound)},
        tags=["entities"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/entities"""
        by, at = caller(request), timezone.now()
        found = queries.store_for_caller(by, store, permission=Permission.EDIT_ENTITIES, at=at)
        planned = body_of(request, HandOver).validated_data
        member = entities.hand_over(brand_id=found.brand_id, store_id=found.id, by=by, at=at, **planned)
        return Response(MembershipAnswer(member).data)
