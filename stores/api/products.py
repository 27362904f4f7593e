"""Products: listed, created, edited. Withdrawing one is vouchers' act, because vouchers may name it."""

from typing import Any

from django.db.models import Prefetch, Q
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
from config.kernel.ids import public
from stores import queries
from stores.api.shown import PublicId
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    CodeTaken,
    MaterialIsNotSold,
    OptionGroupNotFound,
    ProductNotFound,
    ProductWithdrawn,
)
from stores.models import OptionGroup, Product, ProductOptionGroup
from stores.permissions import Permission
from stores.queries.products import product_for_caller
from stores.services import products
from stores.services.products import NewProduct

MOST_FEN = 10_000_000


class ProductAnswer(serializers.ModelSerializer[Product]):
    id = serializers.CharField(source="public_id", help_text="prd_…")
    categories = serializers.ListField(child=serializers.CharField())
    flags = serializers.ListField(
        child=serializers.CharField(), help_text="Import rules that it met: price_out_of_range, addon_category, …"
    )
    groups = serializers.SerializerMethodField(help_text="opg_… of the questions it asks, in their order.")

    class Meta:
        model = Product
        fields = (
            *("id", "code", "name", "name_en", "categories", "price_fen", "is_sold", "flags", "position", "groups"),
            *("created_at", "withdrawn_at"),
        )

    def get_groups(self, product: Product) -> list[str]:
        links = sorted(product.product_groups.all(), key=lambda link: link.position)
        return [public(OptionGroup.PREFIX, link.group_id) for link in links]


class ProductsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    category = serializers.CharField(max_length=64, required=False)
    search = serializers.CharField(max_length=64, required=False, help_text="Part of a name or of the code.")
    flag = serializers.CharField(max_length=32, required=False, help_text="Those an import flagged with this.")


class ProductEdit(StrictSerializer):
    name = serializers.CharField(max_length=128, required=False)
    name_en = serializers.CharField(max_length=128, required=False, allow_blank=True)
    categories = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=16)
    price_fen = serializers.IntegerField(min_value=0, max_value=MOST_FEN, required=False)
    is_sold = serializers.BooleanField(required=False, help_text="By the brand, in any store.")
    position = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    groups = serializers.ListField(
        child=PublicId("opg"), source="group_ids", required=False, max_length=16, help_text="opg_…, in their order."
    )


class ProductCreate(ProductEdit):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    code = serializers.CharField(max_length=64, help_text="Your sku or product id; unique in the brand, for good.")
    name = serializers.CharField(max_length=128)
    price_fen = serializers.IntegerField(min_value=0, max_value=MOST_FEN)


LINKS = Prefetch("product_groups", ProductOptionGroup.objects.order_by("position"))


class Products(APIView):
    @extend_schema(
        operation_id="list_products",
        summary="The brand's products, newest first, withdrawn ones included",
        parameters=[ProductsQuery],
        responses={200: page_schema(ProductAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["products"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/products"""
        asked = query_of(request, ProductsQuery).validated_data
        brand_id = queries.brand_for_caller(
            caller(request), Permission.VIEW_STORES, at=timezone.now(), brand=asked.pop("brand", None)
        )
        found = Product.objects.filter(brand_id=brand_id, unit=Product.Unit.NONE).prefetch_related(LINKS)
        if (category := asked.pop("category", None)) is not None:
            found = found.filter(categories__contains=[category])
        if (flag := asked.pop("flag", None)) is not None:
            found = found.filter(flags__contains=[flag])
        if (search := asked.pop("search", None)) is not None:
            named = Q(name__icontains=search) | Q(name_en__icontains=search) | Q(code__icontains=search)
            found = found.filter(named)
        return Response(page_of(found, by="created_at", **asked).body(lambda product: ProductAnswer(product).data))

    @extend_schema(
        operation_id="create_product",
        summary="A product; the same again is the same product",
        request=ProductCreate,
        responses={
            201: ProductAnswer,
            200: ProductAnswer,
            **errors_of(BrandNotFound, BrandRequired, CodeTaken, NotAllowed, OptionGroupNotFound),
        },
        tags=["products"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/products"""
        by, at = caller(request), timezone.now()
        new = body_of(request, ProductCreate).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_PRODUCTS, at=at, brand=new.pop("brand", None))
        made = products.create(brand_id=brand_id, new=NewProduct(**new), by=by, at=at)
        return Response(ProductAnswer(made.row).data, status=201 if made.is_new else 200)


class OneProduct(APIView):
    @extend_schema(
        operation_id="get_product",
        summary="One product",
        responses={200: ProductAnswer, **errors_of(NotAllowed, ProductNotFound)},
        tags=["products"],
    )
    def get(self, request: Request, product: str) -> Response:
        """GET /api/v1/products/{product}"""
        by, at = caller(request), timezone.now()
        return Response(ProductAnswer(product_for_caller(by, product, permission=Permission.VIEW_STORES, at=at)).data)

    @extend_schema(
        operation_id="edit_product",
        summary="Rename or price a product, or ask other questions about it; vouchers go on naming it",
        request=ProductEdit,
        responses={
            200: ProductAnswer,
            **errors_of(MaterialIsNotSold, NotAllowed, OptionGroupNotFound, ProductNotFound, ProductWithdrawn),
        },
        tags=["products"],
    )
    def patch(self, request: Request, product: str) -> Response:
        """PATCH /api/v1/products/{product}"""
        by, at = caller(request), timezone.now()
        found = product_for_caller(by, product, permission=Permission.EDIT_PRODUCTS, at=at)
        changes: Any = body_of(request, ProductEdit).validated_data
        return Response(ProductAnswer(products.edit(product_id=found.id, changes=changes, by=by, at=at)).data)
