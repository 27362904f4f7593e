"""What anybody may ask about tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.accounts import tokens


class JsonWebKey(serializers.Serializer[Any]):
    kty = serializers.CharField(help_text="EC")
    crv = serializers.CharField(help_text="P-256")
    x = serializers.CharField()
    y = serializers.CharField()
    kid = serializers.CharField(help_text="The `kid` in the header of the tokens it verifies.")
    use = serializers.CharField(help_text="sig")
    alg = serializers.CharField(help_text="ES256")


class JsonWebKeySet(serializers.Serializer[Any]):
    keys = JsonWebKey(many=True)


class Keys(APIView):
    """GET /api/v1/keys"""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="list_keys",
        summary="The public keys of QR tokens (a JWK Set, RFC 7517)",
        description="Keys rotate: on an unknown `kid`, ask again.",
        responses={200: JsonWebKeySet},
        tags=["keys"],
    )
    def get(self, request: Request) -> Response:
        return Response({"keys": tokens.public_keys()}, headers={"Cache-Control": "public, max-age=60"})
