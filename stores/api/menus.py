"""A store's menu, for everybody; and what the people there say about it: sold out, back, at our price."""

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
from stores.api.shown import Nothing
from stores.errors import OptionNotFound, ProductNotFound, StoreNotFound
from stores.models import Option, Product, Store
from stores.permissions import Permission
from stores.queries import Menu
from stores.services import store_menu


class MenuOptionAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="opt_…")
    name = serializers.CharField()
    name_en = serializers.CharField()
    price_delta_fen = serializers.IntegerField()
    is_default = serializers.BooleanField()
    is_sold_out = serializers.BooleanField()


class MenuGroupAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="opg_…")
    name = serializers.CharField()
    name_en = serializers.CharField()
    is_required = serializers.BooleanField()
    choose_least = serializers.IntegerField()
    choose_most = serializers.IntegerField()
    options = MenuOptionAnswer(many=True)


class MenuProductAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="prd_…")
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    categories = serializers.ListField(child=serializers.CharField())
    price_fen = serializers.IntegerField(help_text="At this store, before any option.")
    is_sold_out = serializers.BooleanField()
    groups = serializers.ListField(child=serializers.CharField(), help_text="opg_… of the questions it asks.")


class MenuAnswer(serializers.Serializer[Any]):
    store = serializers.CharField(source="store_public_id", help_text="sto_…")
    products = MenuProductAnswer(many=True)
    groups = MenuGroupAnswer(many=True, help_text="Each question once, however many products ask it.")


class PriceHere(StrictSerializer):
    price_fen = serializers.IntegerField(min_value=0, max_value=10_000_000, allow_null=True, help_text="null: as all.")


class DeltaHere(StrictSerializer):
    price_delta_fen = serializers.IntegerField(
        min_value=-1_000_000, max_value=1_000_000, allow_null=True, help_text="null: as all."
    )


class StoreMenu(APIView):
    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        operation_id="get_store_menu",
        summary="What a store offers now; for everybody",
        responses={200: MenuAnswer, **errors_of(StoreNotFound)},
        tags=["products"],
        auth=[],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/menu"""
        query_of(request, Nothing)
        found = Store.objects.filter(id=ids.parse(Store.PREFIX, store)).exclude(status=Store.Status.CLOSED).first()
        if found is None:
            raise StoreNotFound
        return Response(MenuAnswer(shown(queries.menu_of(found, at=timezone.now()))).data)


class ProductSoldOutHere(APIView):
    @extend_schema(
        operation_id="sell_out_product",
        summary="Nobody orders this product at this store until it is back",
        request=None,
        responses={204: None, **errors_of(NotAllowed, ProductNotFound, StoreNotFound)},
        tags=["products"],
    )
    def post(self, request: Request, store: str, product: str) -> Response:
        """POST /api/v1/stores/{store}/products/{product}/sold-out"""
        body_of(request, Nothing)
        here = at_store(request, store, Permission.MARK_SOLD_OUT)
        store_menu.sell_out_product(product_id=ids.parse(Product.PREFIX, product), **here)
        return Response(status=204)


class ProductBackHere(APIView):
    @extend_schema(
        operation_id="product_is_back",
        summary="The product is there again at this store",
        request=None,
        responses={204: None, **errors_of(NotAllowed, ProductNotFound, StoreNotFound)},
        tags=["products"],
    )
    def post(self, request: Request, store: str, product: str) -> Response:
        """POST /api/v1/stores/{store}/products/{product}/back"""
        body_of(request, Nothing)
        here = at_store(request, store, Permission.MARK_SOLD_OUT)
        store_menu.product_is_back(product_id=ids.parse(Product.PREFIX, product), **here)
        return Response(status=204)


class ProductPriceHere(APIView):
    @extend_schema(
        operation_id="price_product_here",
        summary="A product's own price at this store",
        request=PriceHere,
        responses={204: None, **errors_of(NotAllowed, ProductNotFound, StoreNotFound)},
        tags=["products"],
    )
    def put(self, request: Request, store: str, product: str) -> Response:
        """PUT /api/v1/stores/{store}/products/{product}/price"""
        price_fen = body_of(request, PriceHere).validated_data["price_fen"]
        here = at_store(request, store, Permission.EDIT_PRODUCTS)
        store_menu.price_product_here(product_id=ids.parse(Product.PREFIX, product), price_fen=price_fen, **here)
        return Response(status=204)


class OptionSoldOutHere(APIView):
    @extend_schema(
        operation_id="sell_out_option",
        summary="Nobody chooses this option at this store until it is back",
        request=None,
        responses={204: None, **errors_of(NotAllowed, OptionNotFound, StoreNotFound)},
        tags=["products"],
    )
    def post(self, request: Request, store: str, option: str) -> Response:
        """POST /api/v1/stores/{store}/options/{option}/sold-out"""
        body_of(request, Nothing)
        here = at_store(request, store, Permission.MARK_SOLD_OUT)
        store_menu.sell_out_option(option_id=ids.parse(Option.PREFIX, option), **here)
        return Response(status=204)


class OptionBackHere(APIView):
    @extend_schema(
        operation_id="option_is_back",
        summary="The option is there again at this store",
        request=None,
        responses={204: None, **errors_of(NotAllowed, OptionNotFound, StoreNotFound)},
        tags=["products"],
    )
    def post(self, request: Request, store: str, option: str) -> Response:
        """POST /api/v1/stores/{store}/options/{option}/back"""
        body_of(request, Nothing)
        here = at_store(request, store, Permission.MARK_SOLD_OUT)
        store_menu.option_is_back(option_id=ids.parse(Option.PREFIX, option), **here)
        return Response(status=204)


class OptionPriceHere(APIView):
    @extend_schema(
        operation_id="price_option_here",
        summary="What an option adds at this store",
        request=DeltaHere,
        responses={204: None, **errors_of(NotAllowed, OptionNotFound, StoreNotFound)},
        tags=["products"],
    )
    def put(self, request: Request, store: str, option: str) -> Response:
        """PUT /api/v1/stores/{store}/options/{option}/price"""
        delta_fen = body_of(request, DeltaHere).validated_data["price_delta_fen"]
        here = at_store(request, store, Permission.EDIT_PRODUCTS)
        store_menu.price_option_here(option_id=ids.parse(Option.PREFIX, option), price_delta_fen=delta_fen, **here)
        return Response(status=204)


def at_store(request: Request, store: str, permission: Permission) -> dict[str, Any]:
    """Which store, who and when: what every act here is told."""
    by, at = caller(request), timezone.now()
    found = queries.store_for_caller(by, store, permission=permission, at=at)
    return {"store_id": found.id, "by": by, "at": at}


def shown(menu: Menu) -> dict[str, Any]:
    """Products name their questions; each question is told once."""
    groups = {group.group_id: group for product in menu.products for group in product.groups}
    return {
        "store_public_id": menu.store_public_id,
        "products": [
            {
                "public_id": product.public_id,
                "code": product.code,
                "name": product.name,
                "name_en": product.name_en,
                "categories": product.categories,
                "price_fen": product.price_fen,
                "is_sold_out": product.is_sold_out,
                "groups": [group.public_id for group in product.groups],
            }
            for product in menu.products
        ],
        "groups": list(groups.values()),
    }
