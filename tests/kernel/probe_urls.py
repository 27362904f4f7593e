"""A few views that do what views do wrong, below /api/; the site's own handlers around them."""

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import api_client_caller, caller, customer_caller, staff_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.models import AuditEntry, OutboxMessage
from config.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500"]


class Body(StrictSerializer):
    text = serializers.CharField(max_length=100, required=False)
    number = serializers.IntegerField(required=False)
    anything = serializers.JSONField(required=False)


class Open(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Echo(Open):
    def post(self, request: Request) -> Response:
        return Response(body_of(request, Body).validated_data)


class Store(Open):
    """Puts what it is given into the database without a field check of its own."""

    def post(self, request: Request) -> Response:
        data = request.data
        with connection.cursor() as cursor:
            if "number" in data:
                cursor.execute("SELECT %s::text::bigint", [str(data["number"])])
            if "text" in data:
                cursor.execute("SELECT %s::text", [data["text"]])
            if "json" in data:
                OutboxMessage(topic="t", items=data["json"], item_count=1).save()
            if "actor" in data:
                AuditEntry(act="a", actor_kind=data["actor"], subject_kind="s", at="2026-06-01T00:00:00Z").save()
        return Response({})


class Key(Open):
    def post(self, request: Request) -> Response:
        return Response({"key": str(idempotency_key(request))})


class Listed(Open):
    def get(self, request: Request) -> Response:
        query = query_of(request, PageQuery).validated_data
        page = page_of(AuditEntry.objects.all(), by="at", **query)
        return Response(page.body(lambda entry: entry.act))


class Broken(Open):
    def get(self, request: Request) -> Response:
        raise LookupError("a secret inside")


class Who(Open):
    """Answers as each kind of caller; the caller is put there by the test."""

    def get(self, request: Request, kind: str) -> Response:
        request.user = request.META.get("test.caller")
        ways: dict[str, Any] = {
            "any": lambda: caller(request),
            "staff": lambda: staff_caller(request),
            "customer": lambda: customer_caller(request),
            "program": lambda: api_client_caller(request, "webhooks"),
        }
        return Response({"kind": ways[kind]().kind})


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation


def broken(request: HttpRequest) -> HttpResponse:
    raise LookupError("a secret inside")


urlpatterns = [
    path("api/v1/echo", Echo.as_view()),
    path("api/v1/store", Store.as_view()),
    path("api/v1/key", Key.as_view()),
    path("api/v1/list", Listed.as_view()),
    path("api/v1/broken", Broken.as_view()),
    path("api/v1/plain-broken", broken),
    path("api/v1/suspicious", suspicious),
    path("api/v1/who/<str:kind>", Who.as_view()),
    path("broken", broken),
]
