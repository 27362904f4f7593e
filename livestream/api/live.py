"""
What customers do, on a site without the lane.

The lane answers the same addresses with the same bytes where it runs, thousands a second; here a
sale is a batch of one and the page is read for each who looks. A purchase is followed at ``orders/api``;
the stream of figures is the lane's alone.
"""

from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

import config.kernel.api.struct_schema  # noqa: F401 - structs stand in @extend_schema
from config.kernel import ids
from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import query_of
from config.kernel.api.structs import LARGEST_STRUCT, decoded, encoded
from config.kernel.errors import (
    IdempotencyConflict,
    MalformedJson,
    OutcomeUnknown,
    Overloaded,
    RequestTooLarge,
    UnsupportedMediaType,
)
from livestream import answers, queries
from livestream.api.sessions import NoFields
from livestream.errors import SessionNotFound
from livestream.models import LiveSession
from livestream.services.buying import Buy, buy
from orders import errors
from vouchers.errors import OfferNotFound

_buy = msgspec.json.Decoder(Buy)


class Live(APIView):
    """GET /api/v1/live/{session}"""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="get_live_page",
        summary="What is on, at which price, and how much is left",
        responses={200: answers.LivePage, **errors_of(SessionNotFound)},
        auth=[],
        tags=["live"],
    )
    def get(self, request: Request, session: str) -> HttpResponse:
        query_of(request, NoFields)
        session_id = ids.parse(LiveSession.PREFIX, session)
        stage = queries.stage()
        if session_id not in stage.sessions:
            raise SessionNotFound
        page = answers.page(stage, session_id, stage.listings_of(session_id), at=timezone.now())
        return _json(200, page, {"Cache-Control": "no-store"})


class Purchases(APIView):
    """POST /api/v1/live/{session}/purchases"""

    @extend_schema(
        operation_id="buy",
        summary="Buy what is on",
        description="Name the price and terms number that she was shown. The answer says how to pay.",
        request=Buy,
        responses={
            200: answers.AcceptedPurchase,
            201: answers.AcceptedPurchase,
            **errors_of(
                OfferNotFound,
                errors.QuantityOutOfRange,
                errors.NotOnSaleYet,
                errors.SalePaused,
                errors.SaleClosed,
                errors.SellingStopped,
                errors.PriceChanged,
                errors.LimitReached,
                errors.SoldOut,
                IdempotencyConflict,
                MalformedJson,
                UnsupportedMediaType,
                RequestTooLarge,
                OutcomeUnknown,
                Overloaded,
            ),
        },
        auth=only("customerToken"),
        tags=["live"],
    )
    def post(self, request: Request, session: str) -> HttpResponse:
        customer = customer_caller(request)
        assert customer.brand_id is not None, "customers belong to a brand"
        request_id = idempotency_key(request)
        query_of(request, NoFields)
        sold = buy(
            _body(request, _buy),
            session_id=ids.parse(LiveSession.PREFIX, session),
            brand_id=customer.brand_id,
            customer_id=caller_id(customer),
            request_id=request_id,
            at=timezone.now(),
        )
        return _json(200 if sold.is_repeat else 201, answers.accepted(sold))


def _body(request: Request, decoder: "msgspec.json.Decoder[Buy]") -> Buy:
    raw: bytes = request.body
    if len(raw) > LARGEST_STRUCT:
        raise RequestTooLarge
    return decoded(raw, request.headers.get("Content-Type", ""), decoder)


def _json(status: int, answer: msgspec.Struct, headers: dict[str, Any] | None = None) -> HttpResponse:
    return HttpResponse(encoded(answer), status=status, content_type="application/json", headers=headers)
