"""Goods between two stores: sent, on the road, received."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from stores import queries
from stores.api.shown import PublicId
from stores.api.stock_acts import (
    ACT_ERRORS,
    CountedLineBody,
    StockActAnswer,
    StockLineAnswer,
    StockLineBody,
    done,
)
from stores.errors import (
    StockTooLow,
    StoreNotFound,
    TransferHasLess,
    TransferMovedOn,
    TransferNotFound,
    TransferToItself,
)
from stores.models import StockAct, StockTransfer, Store
from stores.permissions import Permission
from stores.queries import stock as reads
from stores.services import stock_transfers
from stores.services.made import Made
from stores.services.stock_books import MOST_LINES, Asked


class TransferBody(StrictSerializer):
    to = serializers.CharField(max_length=64, help_text="sto_…")
    lines = serializers.ListField(child=StockLineBody(), max_length=MOST_LINES)
    reason = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)


class ArrivalBody(StrictSerializer):
    lines = serializers.ListField(
        child=CountedLineBody(), max_length=MOST_LINES, help_text="What arrived; less than was sent is lost."
    )


class TransferAnswer(serializers.Serializer[StockTransfer]):
    id = serializers.CharField(source="public_id", help_text="stf_…")
    from_store = PublicId(Store.PREFIX, source="from_store_id", help_text="sto_…")
    to_store = PublicId(Store.PREFIX, source="to_store_id", help_text="sto_…")
    state = serializers.ChoiceField(choices=StockTransfer.State.choices)
    sent = StockLineAnswer(many=True)
    received = StockLineAnswer(many=True)
    sent_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class Transfers(APIView):
    @extend_schema(
        operation_id="list_stock_transfers",
        summary="What goes from a store or to it, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(TransferAnswer), **errors_of(NotAllowed, StoreNotFound)},
        tags=["stock"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/stock/transfers"""
        asked = query_of(request, PageQuery).validated_data
        here = queries.store_for_caller(caller(request), store, permission=Permission.VIEW_STOCK, at=timezone.now())
        page = page_of(reads.transfers_of(here.id), by="sent_at", **asked)
        return Response(page.body(shown))

    @extend_schema(
        operation_id="send_goods",
        summary="Goods leave for another store",
        request=TransferBody,
        responses={
            201: StockActAnswer,
            200: StockActAnswer,
            **errors_of(*ACT_ERRORS, StockTooLow, TransferToItself),
        },
        tags=["stock"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/stock/transfers"""
        said = body_of(request, TransferBody).validated_data

        def send(asked: Asked) -> Made[StockAct]:
            return stock_transfers.send_goods(asked, ids.parse(Store.PREFIX, said["to"]))

        return done(request, idempotency_key(request), store, said, send, Permission.COUNT_STOCK)


class ReceiveTransfer(APIView):
    @extend_schema(
        operation_id="receive_transfer",
        summary="What arrived of a transfer",
        request=ArrivalBody,
        responses={
            201: StockActAnswer,
            200: StockActAnswer,
            **errors_of(*ACT_ERRORS, TransferHasLess, TransferMovedOn, TransferNotFound),
        },
        tags=["stock"],
    )
    def post(self, request: Request, store: str, transfer: str) -> Response:
        """POST /api/v1/stores/{store}/stock/transfers/{transfer}/receipt"""
        said = body_of(request, ArrivalBody).validated_data

        def receive(asked: Asked) -> Made[StockAct]:
            return stock_transfers.receive_transfer(asked, ids.parse(StockTransfer.PREFIX, transfer))

        return done(request, idempotency_key(request), store, said, receive, Permission.HANDLE_STOCK)


def shown(transfer: StockTransfer) -> dict[str, Any]:
    """The transfer with what was sent, and what arrived last."""
    acts = sorted(transfer.acts.all(), key=lambda act: (act.done_at, act.id))
    sent = next(act for act in acts if act.kind == StockAct.Kind.SENT)
    received = [act for act in acts if act.kind == StockAct.Kind.RECEIVED]
    arrived = transfer.state == StockTransfer.State.RECEIVED
    return {
        "id": transfer.public_id,
        "from_store": ids.public(Store.PREFIX, transfer.from_store_id),
        "to_store": ids.public(Store.PREFIX, transfer.to_store_id),
        "state": transfer.state,
        "sent": sent.lines,
        "received": received[-1].lines if arrived else [],
        "sent_at": transfer.sent_at,
        "ended_at": transfer.ended_at,
    }
