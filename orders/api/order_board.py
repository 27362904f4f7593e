"""The order board of a store: what is to be made, and what the staff do with it."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import counter_caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from config.kernel.ids import parse
from orders import errors
from orders.api.store_orders import StoreOrderAnswer, shown
from orders.models import StoreOrder
from orders.services import order_moves
from stores.errors import StoreNotFound
from stores.permissions import Permission
from stores.queries import store_at_counter
from stores.services import ordering

BOARD = ("confirmed", "accepted", "making", "ready")


class BoardQuery(PageQuery):
    status = serializers.ChoiceField(
        choices=StoreOrder.Status.choices,
        required=False,
        help_text="Else all to be made, and those that stand ready.",
    )


class Rejection(StrictSerializer):
    reason = serializers.CharField(max_length=128, help_text="The customer reads it.")


class OrderBoard(APIView):
    """GET /api/v1/stores/{store}/orders/board"""

    @extend_schema(
        operation_id="order_board",
        summary="The orders a store is to make, newest first",
        parameters=[BoardQuery],
        responses={200: page_schema(StoreOrderAnswer), **errors_of(NotAllowed, StoreNotFound)},
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["orders"],
    )
    def get(self, request: Request, store: str) -> Response:
        at = timezone.now()
        here = store_at_counter(store, counter_caller(request), at=at, permission=Permission.MAKE_ORDERS)
        ordering.seen(store_id=here.store_id, at=at)
        asked = query_of(request, BoardQuery).validated_data
        status = asked.pop("status", None)
        orders = StoreOrder.objects.filter(store_id=here.store_id, status__in=[status] if status else BOARD)
        page = page_of(orders.prefetch_related("lines"), by="placed_at", **asked)
        return Response(page.body(lambda order: StoreOrderAnswer(shown(order)).data))


class _Act(APIView):
    """One act on one order of one store."""

    act: ClassVar[Callable[..., StoreOrder]]

    def _done(self, request: Request, store: str, order: str, **said: Any) -> Response:
        by, at = counter_caller(request), timezone.now()
        here = store_at_counter(store, by, at=at, permission=Permission.MAKE_ORDERS)
        ordering.seen(store_id=here.store_id, at=at)
        order_id = parse(StoreOrder.PREFIX, order)
        moved = type(self).act(order_id=order_id, store_id=here.store_id, by=by, at=at, **said)
        return Response(StoreOrderAnswer(shown(moved)).data)


ACT_ERRORS = errors_of(NotAllowed, StoreNotFound, errors.StoreOrderNotFound, errors.OrderMovedOn)


class AcceptOrder(_Act):
    """POST /api/v1/stores/{store}/orders/{order}/accept"""

    act = order_moves.accept

    @extend_schema(
        operation_id="accept_order",
        summary="The store will make it",
        request=None,
        responses={200: StoreOrderAnswer, **ACT_ERRORS},
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str, order: str) -> Response:
        return self._done(request, store, order)


class MakeOrder(_Act):
    """POST /api/v1/stores/{store}/orders/{order}/making"""

    act = order_moves.begin_making

    @extend_schema(
        operation_id="make_order",
        summary="It is being made; the customer cannot cancel any more",
        request=None,
        responses={
            200: StoreOrderAnswer,
            **errors_of(
                NotAllowed,
                StoreNotFound,
                errors.StoreOrderNotFound,
                errors.OrderMovedOn,
                errors.OrderMayStillBeCancelled,
            ),
        },
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str, order: str) -> Response:
        return self._done(request, store, order)


class ReadyOrder(_Act):
    """POST /api/v1/stores/{store}/orders/{order}/ready"""

    act = order_moves.ready

    @extend_schema(
        operation_id="ready_order",
        summary="The drinks stand there",
        request=None,
        responses={200: StoreOrderAnswer, **ACT_ERRORS},
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str, order: str) -> Response:
        return self._done(request, store, order)


class CollectOrder(_Act):
    """POST /api/v1/stores/{store}/orders/{order}/collected"""

    act = order_moves.collect

    @extend_schema(
        operation_id="collect_order",
        summary="The customer has them",
        request=None,
        responses={200: StoreOrderAnswer, **ACT_ERRORS},
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str, order: str) -> Response:
        return self._done(request, store, order)


class RejectOrder(_Act):
    """POST /api/v1/stores/{store}/orders/{order}/reject"""

    act = order_moves.reject

    @extend_schema(
        operation_id="reject_order",
        summary="The store cannot make it: vouchers and money go back",
        request=Rejection,
        responses={
            200: StoreOrderAnswer,
            **errors_of(
                NotAllowed, StoreNotFound, errors.StoreOrderNotFound, errors.OrderMovedOn, errors.RejectionTooLate
            ),
        },
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str, order: str) -> Response:
        return self._done(request, store, order, reason=body_of(request, Rejection).validated_data["reason"])
