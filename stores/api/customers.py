"""A brand's server signs its customer in."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import api_client_caller
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import NotAllowed
from stores import phones
from stores.errors import PhoneInvalid
from stores.models import ApiClient
from stores.services import customers


class CustomerBody(StrictSerializer):
    external_id = serializers.CharField(max_length=128, help_text="Your own id of the customer.")
    phone = serializers.CharField(
        max_length=32,
        required=False,
        allow_null=True,
        help_text="A number she has proved to you; replaces the one before.",
    )

    def validate_external_id(self, value: str) -> str:
        if not value.isprintable():
            raise serializers.ValidationError("control characters are no part of an id")
        return value


class CustomerAnswer(serializers.Serializer[Any]):
    customer = serializers.CharField(source="customer.public_id", help_text="cus_…")
    phone = serializers.SerializerMethodField(help_text="Masked: ****5678.")
    token = serializers.CharField(source="token.text", help_text="For her device: `Authorization: Bearer …`.")
    expires_at = serializers.DateTimeField(source="token.expires_at")

    def get_phone(self, signed_in: customers.SignedIn) -> str:
        return phones.masked(signed_in.customer.phone_tail)


class CustomerTokens(APIView):
    @extend_schema(
        operation_id="customer_token",
        summary="A token for one of your customers, good for a day at most",
        description="For your server, with a key of scope `customers`: the token goes to her device, the key never.",
        request=CustomerBody,
        responses={201: CustomerAnswer, 200: CustomerAnswer, **errors_of(NotAllowed, PhoneInvalid)},
        auth=only("apiKey"),
        tags=["customers"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/customers/token"""
        program = api_client_caller(request, ApiClient.Scope.CUSTOMERS)
        assert program.brand_id is not None, "programs belong to a brand"
        given = body_of(request, CustomerBody).validated_data
        signed_in = customers.customer_token(
            brand_id=program.brand_id,
            external_id=given["external_id"],
            phone=given.get("phone"),
            at=timezone.now(),
        )
        return Response(
            CustomerAnswer(signed_in).data,
            status=201 if signed_in.is_new else 200,
            headers={"Cache-Control": "no-store"},
        )
