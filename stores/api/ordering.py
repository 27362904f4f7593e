"""How a store takes orders: its rule, a pause by hand, and that somebody is there."""

from datetime import datetime

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import counter_caller
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.caller import Caller
from config.kernel.errors import NotAllowed
from stores.api.shown import Nothing
from stores.errors import StoreNotFound
from stores.models import OrderingRule
from stores.permissions import Permission
from stores.queries import ClerkStore, store_at_counter
from stores.services import ordering
from stores.services.ordering import Rule

AT_COUNTERS = only("staffToken", "counterToken", "apiKey")
PAUSES = (15, 30, 60)


class OrderingBody(StrictSerializer):
    cups_per_slot = serializers.IntegerField(
        min_value=1, max_value=9_999, allow_null=True, help_text="Cups in 15 minutes; null for no limit."
    )
    cut_off_minutes = serializers.IntegerField(
        min_value=0, max_value=240, help_text="No new orders in the last so many minutes before closing."
    )
    needs_presence = serializers.BooleanField(
        help_text="No new orders when nothing has been heard of the order board for 3 minutes."
    )


class OrderingAnswer(OrderingBody):
    """How a store takes orders."""

    paused_until = serializers.DateTimeField(allow_null=True, help_text="A pause by hand; in the past it is over.")
    seen_at = serializers.DateTimeField(allow_null=True)


class PauseBody(StrictSerializer):
    minutes = serializers.ChoiceField(choices=PAUSES)


class StoreOrdering(APIView):
    @extend_schema(
        operation_id="get_ordering",
        summary="How the store takes orders, and whether it is paused by hand",
        responses={200: OrderingAnswer, **errors_of(NotAllowed, StoreNotFound)},
        auth=AT_COUNTERS,
        tags=["stores"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/ordering"""
        here, _, _ = _at(request, store, Permission.MAKE_ORDERS)
        return Response(OrderingAnswer(ordering.rule_of(here.store_id)).data)

    @extend_schema(
        operation_id="keep_ordering",
        summary="Set the store's capacity, its last orders, and whether somebody must be there",
        request=OrderingBody,
        responses={200: OrderingAnswer, **errors_of(NotAllowed, StoreNotFound)},
        auth=AT_COUNTERS,
        tags=["stores"],
    )
    def put(self, request: Request, store: str) -> Response:
        """PUT /api/v1/stores/{store}/ordering"""
        here, by, at = _at(request, store, Permission.PAUSE_STORES)
        rule = Rule(**body_of(request, OrderingBody).validated_data)
        return _answer(ordering.keep(store_id=here.store_id, rule=rule, by=by, at=at))


class PauseOrdering(APIView):
    @extend_schema(
        operation_id="pause_ordering",
        summary="No new orders for 15, 30 or 60 minutes; it ends by itself",
        request=PauseBody,
        responses={200: OrderingAnswer, **errors_of(NotAllowed, StoreNotFound)},
        auth=AT_COUNTERS,
        tags=["stores"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/ordering/pause"""
        here, by, at = _at(request, store, Permission.MAKE_ORDERS)
        minutes = int(body_of(request, PauseBody).validated_data["minutes"])
        return _answer(ordering.pause(store_id=here.store_id, minutes=minutes, by=by, at=at))


class ResumeOrdering(APIView):
    @extend_schema(
        operation_id="resume_ordering",
        summary="Take orders again before the pause is over",
        request=None,
        responses={200: OrderingAnswer, **errors_of(NotAllowed, StoreNotFound)},
        auth=AT_COUNTERS,
        tags=["stores"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/ordering/resume"""
        body_of(request, Nothing)
        here, by, at = _at(request, store, Permission.MAKE_ORDERS)
        return _answer(ordering.resume(store_id=here.store_id, by=by, at=at))


class Presence(APIView):
    @extend_schema(
        operation_id="say_present",
        summary="Somebody is at the store: every minute or so, where the order board is not asked",
        request=None,
        responses={204: None, **errors_of(NotAllowed, StoreNotFound)},
        auth=AT_COUNTERS,
        tags=["stores"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/presence"""
        body_of(request, Nothing)
        here, _, at = _at(request, store, Permission.MAKE_ORDERS)
        ordering.seen(store_id=here.store_id, at=at)
        return Response(status=204)


def _at(request: Request, store: str, permission: Permission) -> tuple[ClerkStore, Caller, datetime]:
    by, at = counter_caller(request), timezone.now()
    return store_at_counter(store, by, at=at, permission=permission), by, at


def _answer(rule: OrderingRule) -> Response:
    return Response(OrderingAnswer(rule).data)
