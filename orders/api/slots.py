"""The quarters of an hour in which an order can be picked up."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import customer_caller
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, query_of
from config.kernel.ids import parse
from orders.api.quotes import NOT_NOW
from orders.services import taking
from orders.services.quoting import MOST_LINES, MOST_UNITS
from stores.errors import SlotFull
from stores.models import Store


class SlotsQuery(StrictSerializer):
    cups = serializers.IntegerField(
        min_value=1, max_value=MOST_LINES * MOST_UNITS, default=1, help_text="How many are to fit into the slot."
    )


class FreeSlot(serializers.Serializer[Any]):
    starts_at = serializers.DateTimeField(help_text="What an order names as its pick_up_at.")
    ends_at = serializers.DateTimeField()
    cups_left = serializers.IntegerField(allow_null=True, help_text="null where the store has no limit.")


class FreeSlots(serializers.Serializer[Any]):
    ready_at = serializers.DateTimeField(help_text="Expected, for so many cups as soon as possible.")
    items = FreeSlot(many=True, help_text="Until the store closes, those with room.")


class StoreSlots(APIView):
    """GET /api/v1/stores/{store}/slots"""

    @extend_schema(
        operation_id="list_slots",
        summary="When an order placed now could be picked up here: as soon as possible, and in which slots",
        parameters=[SlotsQuery],
        responses={200: FreeSlots, **errors_of(*NOT_NOW, SlotFull)},
        auth=only("customerToken"),
        tags=["orders"],
    )
    def get(self, request: Request, store: str) -> Response:
        who = customer_caller(request)
        assert who.brand_id is not None, "customers belong to a brand"
        found = taking.free_slots(
            store_id=parse(Store.PREFIX, store),
            brand_id=who.brand_id,
            cups=query_of(request, SlotsQuery).validated_data["cups"],
            at=timezone.now(),
        )
        return Response(FreeSlots({"ready_at": found.soonest.ready_at, "items": found.slots}).data)
