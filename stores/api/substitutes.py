"""Head office's list of what a store offers while it is sold out of a product."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import NotAllowed
from stores.api.shown import PublicId
from stores.errors import ProductNotFound, ProductWithdrawn, SubstituteRefused
from stores.models import Product
from stores.permissions import Permission
from stores.queries.products import product_for_caller
from stores.queries.substitutes import listed
from stores.services import substitutes

MOST_LISTED = 16


class SubstitutesBody(StrictSerializer):
    substitutes = serializers.ListField(
        child=PublicId("prd"), max_length=MOST_LISTED, help_text="prd_…, best first; empty leaves it to the categories."
    )


class SubstituteAnswer(serializers.Serializer[Any]):
    product = serializers.CharField(source="substitute.public_id", help_text="prd_…")
    code = serializers.CharField(source="substitute.code")
    name = serializers.CharField(source="substitute.name")


class SubstituteList(serializers.Serializer[Any]):
    items = SubstituteAnswer(many=True)


class ProductSubstitutes(APIView):
    @extend_schema(
        operation_id="get_substitutes",
        summary="What stores offer while they are sold out of a product; empty: of its categories, at no higher price",
        responses={200: SubstituteList, **errors_of(NotAllowed, ProductNotFound)},
        tags=["products"],
    )
    def get(self, request: Request, product: str) -> Response:
        """GET /api/v1/products/{product}/substitutes"""
        at = timezone.now()
        return _shown(product_for_caller(caller(request), product, permission=Permission.VIEW_STORES, at=at))

    @extend_schema(
        operation_id="list_substitutes",
        summary="Say what stores offer while they are sold out of a product, best first",
        request=SubstitutesBody,
        responses={200: SubstituteList, **errors_of(NotAllowed, ProductNotFound, ProductWithdrawn, SubstituteRefused)},
        tags=["products"],
    )
    def put(self, request: Request, product: str) -> Response:
        """PUT /api/v1/products/{product}/substitutes"""
        by, at = caller(request), timezone.now()
        wanted = body_of(request, SubstitutesBody).validated_data["substitutes"]
        found = product_for_caller(by, product, permission=Permission.EDIT_PRODUCTS, at=at)
        substitutes.list_for(product_id=found.id, substitute_ids=wanted, by=by, at=at)
        return _shown(found)


def _shown(product: Product) -> Response:
    return Response({"items": SubstituteAnswer(listed(product.id), many=True).data})
