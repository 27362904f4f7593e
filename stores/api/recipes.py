"""Materials, and what products are made of."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

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
    MaterialNotFound,
    OptionNotFound,
    ProductNotFound,
    ProductWithdrawn,
    RecipeInvalid,
)
from stores.models import Option, Product, Recipe
from stores.permissions import Permission
from stores.queries import recipes as reads
from stores.queries.products import product_for_caller
from stores.services import recipes
from stores.services.recipes import MOST_LINES, MOST_UNITS, NewMaterial, RecipeSaid

UNITS = [(unit.value, unit.label) for unit in Product.Unit if unit != Product.Unit.NONE]


class MaterialAnswer(serializers.ModelSerializer[Product]):
    id = serializers.CharField(source="public_id", help_text="prd_…: stock is kept of it as of a product.")
    unit = serializers.ChoiceField(choices=UNITS, help_text="What its quantities count.")

    class Meta:
        model = Product
        fields = ("id", "code", "name", "name_en", "unit", "created_at", "withdrawn_at")


class MaterialsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class MaterialCreate(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    code = serializers.CharField(max_length=64, help_text="Your own; no product has it either.")
    name = serializers.CharField(max_length=128)
    name_en = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)
    unit = serializers.ChoiceField(choices=UNITS)


class RecipeLineBody(StrictSerializer):
    material = PublicId("prd")
    quantity = serializers.IntegerField(
        min_value=-MOST_UNITS, max_value=MOST_UNITS, help_text="In the material's unit; below zero takes off."
    )
    options = serializers.ListField(
        child=PublicId("opt"), required=False, default=list, max_length=8, help_text="opt_…: only with all of these."
    )


class RecipeBody(StrictSerializer):
    lines = serializers.ListField(child=RecipeLineBody(), max_length=MOST_LINES)
    starts_at = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Now, if not said.")


class RecipeOption(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="opt_…")
    name = serializers.CharField()


class RecipeLineAnswer(serializers.Serializer[Any]):
    material = serializers.CharField(help_text="prd_…")
    name = serializers.CharField()
    unit = serializers.ChoiceField(choices=UNITS)
    quantity = serializers.IntegerField()
    options = RecipeOption(many=True, help_text="With all of these; none is every cup.")


class RecipeAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="rcp_…")
    product = serializers.CharField(help_text="prd_…")
    number = serializers.IntegerField()
    starts_at = serializers.DateTimeField(help_text="Cups made from then on go by it.")
    lines = RecipeLineAnswer(many=True)


class RecipesAnswer(serializers.Serializer[Any]):
    in_force = RecipeAnswer(allow_null=True, help_text="By which cups go that are made now.")
    coming = RecipeAnswer(many=True, help_text="Those that start later, in their order.")


class Materials(APIView):
    @extend_schema(
        operation_id="list_materials",
        summary="The brand's materials, newest first, withdrawn ones included",
        parameters=[MaterialsQuery],
        responses={200: page_schema(MaterialAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["stock"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/materials"""
        asked = query_of(request, MaterialsQuery).validated_data
        brand_id = queries.brand_for_caller(
            caller(request), Permission.VIEW_STOCK, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(reads.materials_of(brand_id), by="created_at", **asked)
        return Response(page.body(lambda material: MaterialAnswer(material).data))

    @extend_schema(
        operation_id="create_material",
        summary="A material that stores count and recipes take; the same again is the same material",
        request=MaterialCreate,
        responses={
            201: MaterialAnswer,
            200: MaterialAnswer,
            **errors_of(BrandNotFound, BrandRequired, CodeTaken, NotAllowed),
        },
        tags=["stock"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/materials"""
        by, at = caller(request), timezone.now()
        said = body_of(request, MaterialCreate).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_PRODUCTS, at=at, brand=said.pop("brand", None))
        new = NewMaterial(said["code"], said["name"], Product.Unit(said["unit"]), said["name_en"])
        made = recipes.create_material(brand_id=brand_id, new=new, by=by, at=at)
        return Response(MaterialAnswer(made.row).data, status=201 if made.is_new else 200)


class ProductRecipe(APIView):
    @extend_schema(
        operation_id="get_recipe",
        summary="What a product is made of now, and from when on of something else",
        responses={200: RecipesAnswer, **errors_of(NotAllowed, ProductNotFound)},
        tags=["stock"],
    )
    def get(self, request: Request, product: str) -> Response:
        """GET /api/v1/products/{product}/recipe"""
        at = timezone.now()
        found = product_for_caller(caller(request), product, permission=Permission.VIEW_STOCK, at=at)
        now, coming = reads.in_force(found.id, at=at), list(reads.coming(found.id, at=at))
        names = reads.option_names([*([now] if now else []), *coming])
        return Response(
            {"in_force": shown(now, names) if now else None, "coming": [shown(one, names) for one in coming]}
        )

    @extend_schema(
        operation_id="replace_recipe",
        summary="What a product is made of from now on, or from a time to come; the same again changes nothing",
        request=RecipeBody,
        responses={
            200: RecipeAnswer,
            **errors_of(
                *(MaterialNotFound, NotAllowed, OptionNotFound),
                *(ProductNotFound, ProductWithdrawn, RecipeInvalid),
            ),
        },
        tags=["stock"],
    )
    def put(self, request: Request, product: str) -> Response:
        """PUT /api/v1/products/{product}/recipe"""
        by, at = caller(request), timezone.now()
        said = body_of(request, RecipeBody).validated_data
        found = product_for_caller(by, product, permission=Permission.EDIT_PRODUCTS, at=at)
        lines = [RecipeSaid(one["material"], one["quantity"], frozenset(one["options"])) for one in said["lines"]]
        made = recipes.replace(product_id=found.id, lines=lines, starts_at=said["starts_at"], by=by, at=at)
        return Response(shown(made.row, reads.option_names([made.row])))


def shown(recipe: Recipe, names: Mapping[UUID, str]) -> dict[str, Any]:
    """The recipe with its materials' and options' names."""
    return {
        "id": recipe.public_id,
        "product": public(Product.PREFIX, recipe.product_id),
        "number": recipe.number,
        "starts_at": recipe.starts_at,
        "lines": [
            {
                "material": public(Product.PREFIX, line.material_id),
                "name": line.material.name,
                "unit": line.material.unit,
                "quantity": line.quantity,
                "options": [{"id": public(Option.PREFIX, one), "name": names[one]} for one in line.options],
            }
            for line in recipe.lines.all()
        ],
    }
