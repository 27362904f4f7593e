"""Connecting a brand to the platforms that sell vouchers of their own."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from config.kernel.ids import parse
from stores.errors import BrandNotFound, BrandRequired, StoreNotFound
from stores.permissions import Permission
from stores.queries import brand_for_caller, store_for_caller
from vouchers import errors
from vouchers.api.deals import BRAND_HELP
from vouchers.models import DealTerms, IssuerDeal
from vouchers.services import issuer_accounts


class NameBody(StrictSerializer):
    external_id = serializers.CharField(max_length=64, help_text="Its name at the platform.")


class AccountBody(NameBody):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class BrandQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class ProductBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    terms = serializers.CharField(help_text="trm_…: what its vouchers are honoured by from now on.")


class NameAnswer(serializers.Serializer[Any]):
    issuer = serializers.CharField()
    external_id = serializers.CharField()


class IssuerProductAnswer(serializers.Serializer[IssuerDeal]):
    issuer = serializers.CharField()
    product = serializers.CharField(source="external_id")
    terms = serializers.CharField(source="terms.public_id")


class Account(APIView):
    """/api/v1/issuers/{issuer}/account"""

    @extend_schema(
        operation_id="connect_issuer",
        summary="The brand's account at a platform; codes that are not ours are then asked about there",
        request=AccountBody,
        responses={200: NameAnswer, **errors_of(errors.IssuerNotThere, BrandNotFound, BrandRequired, NotAllowed)},
        tags=["issuers"],
    )
    def put(self, request: Request, issuer: str) -> Response:
        by, at = caller(request), timezone.now()
        body = body_of(request, AccountBody).validated_data
        brand_id = brand_for_caller(by, Permission.EDIT_DEALS, at=at, brand=body.pop("brand", None))
        account = issuer_accounts.connect(brand_id=brand_id, issuer=issuer, by=by, at=at, **body)
        return Response(NameAnswer(account).data)

    @extend_schema(
        operation_id="disconnect_issuer",
        summary="Ask the platform about no more codes; what it sold stays",
        parameters=[BrandQuery],
        responses={204: None, **errors_of(errors.IssuerNotThere, BrandNotFound, BrandRequired, NotAllowed)},
        tags=["issuers"],
    )
    def delete(self, request: Request, issuer: str) -> Response:
        by, at = caller(request), timezone.now()
        brand = query_of(request, BrandQuery).validated_data.get("brand")
        brand_id = brand_for_caller(by, Permission.EDIT_DEALS, at=at, brand=brand)
        issuer_accounts.disconnect(brand_id=brand_id, issuer=issuer, by=by, at=at)
        return Response(status=204)


class StoreName(APIView):
    """/api/v1/issuers/{issuer}/stores/{store}"""

    @extend_schema(
        operation_id="name_store_at_issuer",
        summary="The name that a store goes by at a platform",
        request=NameBody,
        responses={
            200: NameAnswer,
            **errors_of(errors.IssuerNotThere, errors.IssuerNameTaken, StoreNotFound, NotAllowed),
        },
        tags=["issuers"],
    )
    def put(self, request: Request, issuer: str, store: str) -> Response:
        by, at = caller(request), timezone.now()
        external_id = body_of(request, NameBody).validated_data["external_id"]
        found = store_for_caller(by, store, permission=Permission.EDIT_STORES, at=at)
        named = issuer_accounts.name_store(store=found, issuer=issuer, external_id=external_id, by=by, at=at)
        return Response(NameAnswer(named).data)


class Product(APIView):
    """/api/v1/issuers/{issuer}/products/{product}"""

    @extend_schema(
        operation_id="honour_issuer_product",
        summary="The terms that a platform's product is honoured by",
        request=ProductBody,
        responses={
            200: IssuerProductAnswer,
            **errors_of(errors.IssuerNotThere, errors.TermsNotFound, BrandNotFound, BrandRequired, NotAllowed),
        },
        tags=["issuers"],
    )
    def put(self, request: Request, issuer: str, product: str) -> Response:
        by, at = caller(request), timezone.now()
        body = body_of(request, ProductBody).validated_data
        brand_id = brand_for_caller(by, Permission.EDIT_DEALS, at=at, brand=body.get("brand"))
        terms_id = parse(DealTerms.PREFIX, body["terms"])
        terms = DealTerms.objects.select_related("deal").filter(pk=terms_id, deal__brand_id=brand_id).first()
        if terms is None:
            raise errors.TermsNotFound
        if len(product) > 64 or "\x00" in product:
            raise errors.IssuerProductUnknown(issuer=issuer, product=product[:64])
        honoured = issuer_accounts.honour(terms=terms, issuer=issuer, product=product, by=by, at=at)
        return Response(IssuerProductAnswer(honoured).data)
