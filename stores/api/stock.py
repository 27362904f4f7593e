"""How a store keeps a product: switched, with a limit a day, or counted."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import NotAllowed
from stores.api.menus import at_store
from stores.errors import ProductNotFound, StockRuleInvalid, StoreNotFound
from stores.models import Product, StockMode
from stores.permissions import Permission
from stores.services import stock_keeping
from stores.services.stock_books import MOST_UNITS
from stores.services.stock_keeping import StockRule

MOST = MOST_UNITS


class StockRuleBody(StrictSerializer):
    mode = serializers.ChoiceField(choices=StockMode.choices)
    daily_limit = serializers.IntegerField(min_value=0, max_value=MOST, required=False, allow_null=True)
    on_hand = serializers.IntegerField(
        min_value=0, max_value=MOST, required=False, allow_null=True, help_text="As counted now; the mode counted only."
    )
    low_at = serializers.IntegerField(
        min_value=0,
        max_value=MOST,
        required=False,
        allow_null=True,
        help_text="From here on it is running out.",
    )


class StockLevelAnswer(serializers.Serializer[Any]):
    mode = serializers.CharField()
    daily_limit = serializers.IntegerField(allow_null=True)
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Promised to orders that are not made yet.")
    low_at = serializers.IntegerField(allow_null=True)
    is_short = serializers.BooleanField(help_text="More is promised or gone than was ever counted in: count again.")


class StockHere(APIView):
    @extend_schema(
        operation_id="keep_stock",
        summary="Keep a product at this store as a switch, with a limit a day, or counted",
        request=StockRuleBody,
        responses={200: StockLevelAnswer, **errors_of(NotAllowed, ProductNotFound, StockRuleInvalid, StoreNotFound)},
        tags=["products"],
    )
    def put(self, request: Request, store: str, product: str) -> Response:
        """PUT /api/v1/stores/{store}/products/{product}/stock"""
        said = body_of(request, StockRuleBody).validated_data
        rule = StockRule(StockMode(said["mode"]), said.get("daily_limit"), said.get("on_hand"), said.get("low_at"))
        here = at_store(request, store, Permission.MARK_SOLD_OUT)
        level = stock_keeping.keep(product_id=ids.parse(Product.PREFIX, product), rule=rule, **here)
        return Response(StockLevelAnswer(level).data)
