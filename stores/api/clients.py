"""Keys of a brand's programs; a person's to make, never another program's."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import staff_caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from stores import queries
from stores.api.authentication import known_keys
from stores.api.shown import Nothing
from stores.errors import ApiClientNotFound, BrandNotFound, BrandRequired
from stores.models import ApiClient
from stores.permissions import Permission
from stores.services import api_clients, bearer_keys


class ClientAnswer(serializers.ModelSerializer[ApiClient]):
    id = serializers.CharField(source="public_id", help_text="api_…")
    kid = serializers.SerializerMethodField(help_text="The middle of its key, which tells keys apart.")
    scopes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ApiClient
        fields = ("id", "kid", "name", "scopes", "created_at", "revoked_at")

    def get_kid(self, client: ApiClient) -> str:
        return bearer_keys.kid_of(client.id)


class ClientWithKey(serializers.Serializer[Any]):
    client = ClientAnswer()
    key = serializers.CharField(help_text="Shown this once: hxk_<kid>_<secret>.")


class ClientsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class NewClient(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    name = serializers.CharField(max_length=64)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=ApiClient.Scope.choices), min_length=1, max_length=len(ApiClient.Scope)
    )


class Clients(APIView):
    @extend_schema(
        operation_id="list_api_clients",
        summary="The brand's programs",
        parameters=[ClientsQuery],
        responses={200: page_schema(ClientAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        auth=only("staffToken"),
        tags=["api-clients"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/api-clients"""
        asked = query_of(request, ClientsQuery).validated_data
        brand_id = queries.brand_for_caller(
            staff_caller(request), Permission.EDIT_API_CLIENTS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(ApiClient.objects.filter(brand_id=brand_id), by="created_at", **asked)
        return Response(page.body(lambda client: ClientAnswer(client).data))

    @extend_schema(
        operation_id="create_api_client",
        summary="A new program with its key, which is shown this once",
        description="Not repeatable: who lost the answer revokes that client and makes another.",
        request=NewClient,
        responses={201: ClientWithKey, **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        auth=only("staffToken"),
        tags=["api-clients"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/api-clients"""
        by, at = staff_caller(request), timezone.now()
        new = body_of(request, NewClient).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_API_CLIENTS, at=at, brand=new.pop("brand", None))
        scopes = {ApiClient.Scope(scope) for scope in new["scopes"]}
        issued = api_clients.create(brand_id=brand_id, name=new["name"], scopes=scopes, by=by, at=at)
        return Response(ClientWithKey(issued).data, status=201, headers={"Cache-Control": "no-store"})


class RevokeClient(APIView):
    @extend_schema(
        operation_id="revoke_api_client",
        summary="End a key, within 30 seconds everywhere",
        request=None,
        responses={200: ClientAnswer, **errors_of(ApiClientNotFound, NotAllowed)},
        auth=only("staffToken"),
        tags=["api-clients"],
    )
    def post(self, request: Request, client: str) -> Response:
        """POST /api/v1/api-clients/{client}/revoke"""
        by, at = staff_caller(request), timezone.now()
        body_of(request, Nothing)
        found = ApiClient.objects.filter(id=ids.parse(ApiClient.PREFIX, client)).first()
        if found is None:
            raise ApiClientNotFound
        queries.require_permission(
            by, Permission.EDIT_API_CLIENTS, brand_id=found.brand_id, at=at, missing=ApiClientNotFound
        )
        revoked = api_clients.revoke(client_id=found.id, brand_id=found.brand_id, by=by, at=at)
        known_keys.forget()
        return Response(ClientAnswer(revoked).data)
