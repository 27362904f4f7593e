"""A brand's webhook subscriptions and what became of each message."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.outbox import TOPICS
from stores import queries
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    WebhookDeliveryNotFound,
    WebhookEnded,
    WebhookNotFound,
    WebhookTopicUnknown,
    WebhookUrlRefused,
)
from stores.models import WebhookDelivery, WebhookSubscription
from stores.permissions import Permission
from stores.services import webhooks

BRAND_HELP = "brd_…; needed only by people who work for several brands."
TAGS = ["webhooks"]
CREDENTIALS = only("staffToken", "apiKey")


class SubscribeBody(StrictSerializer):
    url = serializers.CharField(max_length=512, help_text="https; a public address.")
    topics = serializers.ListField(
        child=serializers.CharField(max_length=48),
        min_length=1,
        max_length=len(TOPICS) + 1,
        help_text="`*` for all, or of: " + "; ".join(f"`{topic}` {text}" for topic, text in TOPICS.items()),
    )
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class SubscriptionsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class DeliveriesQuery(PageQuery):
    status = serializers.ChoiceField(choices=WebhookDelivery.Status.choices, required=False)


class Subscription(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="sub_…")
    url = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class NewSubscription(Subscription):
    secret = serializers.CharField(
        help_text="`whsec_…`, for a Standard Webhooks library to verify with. Shown here and nowhere else."
    )


class Delivery(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="dlv_…")
    message = serializers.CharField(source="message.public_id", help_text="msg_…: the `webhook-id` header.")
    topic = serializers.CharField(source="message.topic")
    occurred_at = serializers.DateTimeField(source="message.occurred_at")
    item_count = serializers.IntegerField(source="message.item_count")
    status = serializers.ChoiceField(choices=WebhookDelivery.Status.choices)
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField(help_text="When it is tried next, while it is due.")
    last_attempt_at = serializers.DateTimeField(allow_null=True)
    last_status_code = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(help_text="Why the last attempt had no answer.")
    delivered_at = serializers.DateTimeField(allow_null=True)


class Webhooks(APIView):
    """/api/v1/webhooks"""

    @extend_schema(
        operation_id="subscribe_webhook",
        summary="Be told what happens (Standard Webhooks)",
        request=SubscribeBody,
        responses={
            201: NewSubscription,
            200: NewSubscription,
            **errors_of(
                WebhookUrlRefused, WebhookTopicUnknown, IdempotencyConflict, BrandNotFound, BrandRequired, NotAllowed
            ),
        },
        tags=TAGS,
        auth=CREDENTIALS,
    )
    def post(self, request: Request) -> Response:
        who, at = caller(request), timezone.now()
        body = body_of(request, SubscribeBody).validated_data
        made = webhooks.subscribe(
            brand_id=queries.brand_for_caller(who, Permission.EDIT_WEBHOOKS, at=at, brand=body.get("brand")),
            url=body["url"],
            topics=body["topics"],
            request_id=idempotency_key(request),
            by=who,
            at=at,
        )
        shown = {**Subscription(made.subscription).data, "secret": made.secret}
        return Response(shown, status=201 if made.is_new else 200, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="list_webhooks",
        summary="Subscriptions, the ended ones too",
        parameters=[SubscriptionsQuery],
        responses={200: page_schema(Subscription), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=TAGS,
        auth=CREDENTIALS,
    )
    def get(self, request: Request) -> Response:
        query = query_of(request, SubscriptionsQuery).validated_data
        brand_id = queries.brand_for_caller(
            caller(request), Permission.EDIT_WEBHOOKS, at=timezone.now(), brand=query.pop("brand", None)
        )
        page = page_of(WebhookSubscription.objects.filter(brand_id=brand_id), by="created_at", **query)
        return Response(page.body(lambda row: Subscription(row).data))


class Webhook(APIView):
    """/api/v1/webhooks/{webhook}"""

    @extend_schema(
        operation_id="end_webhook",
        summary="Be told nothing any more",
        parameters=[OpenApiParameter("webhook", str, OpenApiParameter.PATH, description="sub_…")],
        responses={200: Subscription, **errors_of(WebhookNotFound, NotAllowed)},
        tags=TAGS,
        auth=CREDENTIALS,
    )
    def delete(self, request: Request, webhook: str) -> Response:
        who, at = caller(request), timezone.now()
        subscription = queries.webhook_for_caller(who, webhook, at=at)
        ended = webhooks.end(subscription_id=subscription.id, by=who, at=at)
        return Response(Subscription(ended).data)


class Deliveries(APIView):
    """/api/v1/webhooks/{webhook}/deliveries"""

    @extend_schema(
        operation_id="list_webhook_deliveries",
        summary="What became of each message, newest first",
        parameters=[
            DeliveriesQuery,
            OpenApiParameter("webhook", str, OpenApiParameter.PATH, description="sub_…"),
        ],
        responses={200: page_schema(Delivery), **errors_of(WebhookNotFound, NotAllowed)},
        tags=TAGS,
        auth=CREDENTIALS,
    )
    def get(self, request: Request, webhook: str) -> Response:
        query = query_of(request, DeliveriesQuery).validated_data
        subscription = queries.webhook_for_caller(caller(request), webhook, at=timezone.now())
        rows = queries.deliveries(subscription, status=query.pop("status", None))
        return Response(page_of(rows, by="created_at", **query).body(lambda row: Delivery(row).data))


class Resend(APIView):
    """/api/v1/deliveries/{delivery}/resend"""

    @extend_schema(
        operation_id="resend_webhook_delivery",
        summary="Send one message again, with all its retries",
        description="Takes no Idempotency-Key: asked twice, a message that is due is due.",
        parameters=[OpenApiParameter("delivery", str, OpenApiParameter.PATH, description="dlv_…")],
        request=None,
        responses={200: Delivery, **errors_of(WebhookDeliveryNotFound, WebhookEnded, NotAllowed)},
        tags=TAGS,
        auth=CREDENTIALS,
    )
    def post(self, request: Request, delivery: str) -> Response:
        who, at = caller(request), timezone.now()
        found = queries.delivery_for_caller(who, delivery, at=at)
        return Response(Delivery(webhooks.resend(delivery_id=found.id, by=who, at=at)).data)
