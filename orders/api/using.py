"""Use it now: from a voucher to a cart at the nearest store that takes it."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.ids import parse, public
from orders.errors import NoStoreTakesItNow
from orders.services import using
from stores.models import Option, Product
from vouchers import errors
from vouchers.models import Voucher


class UsePlace(StrictSerializer):
    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)


class SuggestedLine(serializers.Serializer[Any]):
    product = serializers.CharField()
    options = serializers.ListField(child=serializers.CharField())
    quantity = serializers.IntegerField()


class UseNowAnswer(serializers.Serializer[Any]):
    """A cart to begin with, filled up to the voucher's minimum; its lines go into a quote as they are."""

    store = serializers.CharField()
    name = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    distance_metres = serializers.IntegerField()
    ready_at = serializers.DateTimeField(help_text="Expected; by the cups that are to be made first.")
    ready_in_seconds = serializers.IntegerField()
    lines = SuggestedLine(many=True)


class UseVoucher(APIView):
    """POST /api/v1/vouchers/{voucher}/use"""

    @extend_schema(
        operation_id="use_voucher",
        summary="The nearest open store that takes this voucher now, with a cart to begin with",
        request=UsePlace,
        responses={
            200: UseNowAnswer,
            **errors_of(
                NoStoreTakesItNow,
                errors.VoucherNotFound,
                errors.VoucherRefunded,
                errors.VoucherAlreadyRedeemed,
                errors.VoucherHeld,
                errors.VoucherExpired,
            ),
        },
        auth=only("customerToken"),
        tags=["orders"],
    )
    def post(self, request: Request, voucher: str) -> Response:
        at = timezone.now()
        found = using.use_now(
            voucher_id=parse(Voucher.PREFIX, voucher),
            customer_id=caller_id(customer_caller(request)),
            at=at,
            **body_of(request, UsePlace).validated_data,
        )
        answer = {
            "store": found.near.store.public_id,
            "name": found.near.store.name,
            "address": found.near.store.address,
            "distance_metres": found.near.distance_metres,
            "ready_at": found.pick_up.ready_at,
            "ready_in_seconds": int((found.pick_up.ready_at - at).total_seconds()),
            "lines": [
                {
                    "product": public(Product.PREFIX, line.product_id),
                    "options": [public(Option.PREFIX, option) for option in line.option_ids],
                    "quantity": line.quantity,
                }
                for line in found.lines
            ],
        }
        return Response(UseNowAnswer(answer).data)
