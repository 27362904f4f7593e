"""A customer's purchases. Where intake stands before the site, it answers the single one from its batches."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import query_of
from config.kernel.ids import parse, public
from orders import errors, queries
from orders.models import Purchase
from vouchers.models import Offer


class PurchaseSerializer(serializers.Serializer[Any]):
    """A purchase as its customer follows it, in the shape the lane answers."""

    purchase = serializers.CharField()
    offer = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price_fen = serializers.IntegerField()
    total_fen = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Purchase.Status.choices)
    accepted_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    issued_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)


class PurchaseList(APIView):
    """GET /api/v1/purchases"""

    @extend_schema(
        operation_id="list_purchases",
        summary="Her purchases, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(PurchaseSerializer)},
        auth=only("customerToken"),
    )
    def get(self, request: Request) -> Response:
        customer_id = caller_id(customer_caller(request))
        asked = query_of(request, PageQuery).validated_data
        page = page_of(queries.purchases_of(customer_id), by="accepted_at", **asked)
        return Response(page.body(_shown))


class PurchaseDetail(APIView):
    """GET /api/v1/purchases/{purchase}"""

    @extend_schema(
        operation_id="get_purchase",
        summary="What became of a purchase",
        responses={200: PurchaseSerializer, **errors_of(errors.PurchaseNotFound)},
        auth=only("customerToken"),
    )
    def get(self, request: Request, purchase: str) -> Response:
        customer_id = caller_id(customer_caller(request))
        found = queries.purchases_of(customer_id).filter(pk=parse(Purchase.PREFIX, purchase)).first()
        if found is None:
            raise errors.PurchaseNotFound
        return Response(_shown(found))


def _shown(purchase: Purchase) -> Any:
    return PurchaseSerializer(
        {
            "purchase": purchase.public_id,
            "offer": public(Offer.PREFIX, purchase.offer_id),
            "quantity": purchase.quantity,
            "unit_price_fen": purchase.unit_price_fen,
            "total_fen": purchase.total_fen,
            "status": purchase.status,
            "accepted_at": purchase.accepted_at,
            "paid_at": purchase.paid_at,
            "issued_at": purchase.issued_at,
            "closed_at": purchase.closed_at,
        }
    ).data
