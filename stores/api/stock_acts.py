"""A store's stock: what there is, what came and went, and what people do to it."""

from collections.abc import Callable
from typing import Any
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
from config.kernel.errors import IdempotencyConflict, IdempotencyKeyRequired, NotAllowed
from stores import queries
from stores.api.shown import PublicId
from stores.errors import (
    ProductNotCounted,
    ProductNotFound,
    StockActNotFound,
    StockActUndone,
    StockCountedSince,
    StockLinesInvalid,
    StockTooLow,
    StoreNotFound,
    TransferMovedOn,
)
from stores.models import Product, StockAct, StockMode, StockMovement, StockTransfer
from stores.permissions import Permission
from stores.queries import stock as reads
from stores.services import stock_acts
from stores.services.made import Made
from stores.services.stock_books import MOST_LINES, MOST_UNITS, Asked, StockLine

ACT_ERRORS = (
    *(IdempotencyConflict, IdempotencyKeyRequired, NotAllowed),
    *(ProductNotCounted, ProductNotFound, StockLinesInvalid, StoreNotFound),
)


class StockLineBody(StrictSerializer):
    product = serializers.CharField(max_length=64, help_text="prd_…")
    quantity = serializers.IntegerField(min_value=1, max_value=MOST_UNITS)


class CountedLineBody(StockLineBody):
    quantity = serializers.IntegerField(min_value=0, max_value=MOST_UNITS, help_text="What stands there now.")


class ReceiptBody(StrictSerializer):
    lines = serializers.ListField(child=StockLineBody(), max_length=MOST_LINES)
    reason = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)


class WasteBody(StrictSerializer):
    lines = serializers.ListField(child=StockLineBody(), max_length=MOST_LINES)
    reason = serializers.CharField(max_length=128)


class CountBody(StrictSerializer):
    lines = serializers.ListField(child=CountedLineBody(), max_length=MOST_LINES)
    reason = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)


class StockLineAnswer(serializers.Serializer[Any]):
    product = serializers.CharField(help_text="prd_…")
    quantity = serializers.IntegerField()


class StockActAnswer(serializers.Serializer[StockAct]):
    id = serializers.CharField(source="public_id", help_text="sta_…")
    kind = serializers.ChoiceField(choices=StockAct.Kind.choices)
    lines = StockLineAnswer(many=True, help_text="As it was said.")
    moved = StockLineAnswer(many=True, help_text="What that changed; negative is gone.")
    reason = serializers.CharField()
    transfer = PublicId(StockTransfer.PREFIX, source="transfer_id", allow_null=True, help_text="stf_…")
    undoes = PublicId(StockAct.PREFIX, source="undoes_id", allow_null=True, help_text="The act that it undoes; sta_…")
    is_undone = serializers.BooleanField()
    done_at = serializers.DateTimeField()


class LevelAnswer(serializers.Serializer[Any]):
    product = serializers.CharField(source="product.public_id", help_text="prd_…")
    code = serializers.CharField(source="product.code")
    name = serializers.CharField(source="product.name")
    unit = serializers.ChoiceField(
        source="product.unit", choices=[unit.value for unit in Product.Unit], help_text="Of a material; else empty."
    )
    mode = serializers.ChoiceField(choices=StockMode.choices)
    daily_limit = serializers.IntegerField(allow_null=True)
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    free = serializers.IntegerField(help_text="What may still be promised; less than nothing where it is short.")
    low_at = serializers.IntegerField(allow_null=True)
    is_short = serializers.BooleanField()


class LevelList(serializers.Serializer[Any]):
    items = LevelAnswer(many=True)


class LevelsQuery(StrictSerializer):
    running_out = serializers.BooleanField(default=False, help_text="Only what is at `low_at` or below, or short.")


class MovementAnswer(serializers.Serializer[StockMovement]):
    product = serializers.CharField(source="product.public_id", help_text="prd_…")
    quantity = serializers.IntegerField(help_text="Negative is gone.")
    kind = serializers.ChoiceField(choices=StockMovement.Kind.choices)
    source_kind = serializers.CharField(help_text="stock_act, store_order, redemption or remake")
    business_date = serializers.DateField()
    moved_at = serializers.DateTimeField()


class MovementsQuery(PageQuery):
    product = serializers.CharField(required=False, max_length=64, help_text="prd_…: its movements only.")


class StoreStock(APIView):
    @extend_schema(
        operation_id="list_stock",
        summary="How a store keeps its products and what it has of them; or only what is running out",
        parameters=[LevelsQuery],
        responses={200: LevelList, **errors_of(NotAllowed, StoreNotFound)},
        tags=["stock"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/stock"""
        said = query_of(request, LevelsQuery).validated_data
        here = queries.store_for_caller(caller(request), store, permission=Permission.VIEW_STOCK, at=timezone.now())
        levels = reads.running_out(here.id) if said["running_out"] else reads.levels_of(here.id)
        return Response({"items": LevelAnswer(levels, many=True).data})


class Movements(APIView):
    @extend_schema(
        operation_id="list_stock_movements",
        summary="What came to a store and left it, newest first",
        parameters=[MovementsQuery],
        responses={200: page_schema(MovementAnswer), **errors_of(NotAllowed, StoreNotFound)},
        tags=["stock"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/stock/movements"""
        asked = query_of(request, MovementsQuery).validated_data
        product = asked.pop("product", None)
        here = queries.store_for_caller(caller(request), store, permission=Permission.VIEW_STOCK, at=timezone.now())
        product_id = ids.parse(Product.PREFIX, product) if product else None
        page = page_of(reads.movements_of(here.id, product_id=product_id), by="moved_at", **asked)
        return Response(page.body(lambda movement: MovementAnswer(movement).data))


class Receipts(APIView):
    @extend_schema(
        operation_id="receive_goods",
        summary="Goods came",
        request=ReceiptBody,
        responses={201: StockActAnswer, 200: StockActAnswer, **errors_of(*ACT_ERRORS)},
        tags=["stock"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/stock/receipts"""
        said = body_of(request, ReceiptBody).validated_data
        return done(request, idempotency_key(request), store, said, stock_acts.receive_goods, Permission.HANDLE_STOCK)


class Waste(APIView):
    @extend_schema(
        operation_id="throw_away",
        summary="Goods were thrown away",
        request=WasteBody,
        responses={201: StockActAnswer, 200: StockActAnswer, **errors_of(*ACT_ERRORS, StockTooLow)},
        tags=["stock"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/stock/waste"""
        said = body_of(request, WasteBody).validated_data
        return done(request, idempotency_key(request), store, said, stock_acts.throw_away, Permission.HANDLE_STOCK)


class Counts(APIView):
    @extend_schema(
        operation_id="take_stock",
        summary="Somebody counted what stands there",
        request=CountBody,
        responses={201: StockActAnswer, 200: StockActAnswer, **errors_of(*ACT_ERRORS)},
        tags=["stock"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/stock/counts"""
        said = body_of(request, CountBody).validated_data
        return done(request, idempotency_key(request), store, said, stock_acts.take_stock, Permission.COUNT_STOCK)


class Acts(APIView):
    @extend_schema(
        operation_id="list_stock_acts",
        summary="What people did to a store's stock, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(StockActAnswer), **errors_of(NotAllowed, StoreNotFound)},
        tags=["stock"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/stock/acts"""
        asked = query_of(request, PageQuery).validated_data
        here = queries.store_for_caller(caller(request), store, permission=Permission.VIEW_STOCK, at=timezone.now())
        page = page_of(reads.acts_of(here.id), by="done_at", **asked)
        moved = reads.moved_by([act.id for act in page.items])
        return Response(page.body(lambda act: shown(act, moved.get(act.id, []))))


class UndoAct(APIView):
    @extend_schema(
        operation_id="undo_stock_act",
        summary="Undo an act by the opposite movements",
        request=None,
        responses={
            201: StockActAnswer,
            200: StockActAnswer,
            **errors_of(
                *(IdempotencyConflict, IdempotencyKeyRequired, NotAllowed, StoreNotFound),
                *(StockActNotFound, StockActUndone, StockCountedSince, TransferMovedOn),
            ),
        },
        tags=["stock"],
    )
    def post(self, request: Request, store: str, act: str) -> Response:
        """POST /api/v1/stores/{store}/stock/acts/{act}/undo"""

        def undo(asked: Asked) -> Made[StockAct]:
            return stock_acts.undo(asked, ids.parse(StockAct.PREFIX, act))

        return done(request, idempotency_key(request), store, {}, undo, Permission.COUNT_STOCK)


def done(
    request: Request,
    key: UUID,
    store: str,
    said: dict[str, Any],
    act: Callable[[Asked], Made[StockAct]],
    permission: Permission,
) -> Response:
    """The answer to one act at a store."""
    by, at = caller(request), timezone.now()
    here = queries.store_for_caller(by, store, permission=permission, at=at)
    lines = [StockLine(ids.parse(Product.PREFIX, line["product"]), line["quantity"]) for line in said.get("lines", [])]
    made = act(Asked(here.id, lines, key, by, at, said.get("reason", "")))
    body = shown(made.row, reads.moved_by([made.row.id]).get(made.row.id, []))
    return Response(body, status=201 if made.is_new else 200)


def shown(act: StockAct, moved: list[StockMovement]) -> dict[str, Any]:
    """The act with what it moved."""
    return {
        "id": act.public_id,
        "kind": act.kind,
        "lines": act.lines,
        "moved": [{"product": one.product.public_id, "quantity": one.quantity} for one in moved],
        "reason": act.reason,
        "transfer": ids.public(StockTransfer.PREFIX, act.transfer_id) if act.transfer_id else None,
        "undoes": ids.public(StockAct.PREFIX, act.undoes_id) if act.undoes_id else None,
        "is_undone": hasattr(act, "undone_by"),
        "done_at": act.done_at,
    }
