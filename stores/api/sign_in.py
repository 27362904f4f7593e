"""POST /api/v1/staff/sign-in"""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.accounts import sign_in
from config.accounts.errors import WrongCredentials
from config.kernel.api import throttling
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import TooManyRequests
from stores import queries
from stores.models import Staff


class SignInBody(StrictSerializer):
    username = serializers.CharField(max_length=64)
    password = serializers.CharField(max_length=128, trim_whitespace=False)


class StaffRow(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="stf_…")
    role = serializers.ChoiceField(choices=Staff.Role.choices)
    brand = serializers.CharField(source="brand.public_id", help_text="brd_…")
    brand_name = serializers.CharField(source="brand.name")
    region = serializers.CharField(source="region.public_id", default=None, allow_null=True, help_text="rgn_…")
    entity = serializers.CharField(source="entity.public_id", default=None, allow_null=True, help_text="ent_…")
    store = serializers.CharField(source="store.public_id", default=None, allow_null=True, help_text="sto_…")
    store_name = serializers.CharField(source="store.name", default=None, allow_null=True)


class SignedIn(serializers.Serializer[Any]):
    token = serializers.CharField(source="token.text", help_text="Send it as `Authorization: Bearer …`.")
    expires_at = serializers.DateTimeField(source="token.expires_at")
    user = serializers.CharField(source="user.public_id", help_text="usr_…")
    name = serializers.CharField(source="user.__str__")
    roles = StaffRow(many=True, help_text="What she may do, and where.")


class SignIn(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="sign_in_staff",
        summary="Sign in with a name and a password",
        request=SignInBody,
        responses={200: SignedIn, **errors_of(WrongCredentials, TooManyRequests)},
        tags=["staff"],
    )
    def post(self, request: Request) -> Response:
        given = body_of(request, SignInBody).validated_data
        at = timezone.now()
        signed_in = sign_in.sign_in(at=at, address=throttling.address_of(request), **given)
        roles = queries.roles_of_user(signed_in.user.id, at=at)
        shown = SignedIn({"token": signed_in.token, "user": signed_in.user, "roles": roles})
        return Response(shown.data, headers={"Cache-Control": "no-store"})
