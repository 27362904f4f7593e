"""The kill switches of selling."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of
from stores.errors import BrandNotFound, BrandRequired
from stores.models import Brand
from stores.permissions import Permission
from stores.queries import brand_for_caller
from vouchers import errors
from vouchers.api.deals import BRAND_HELP
from vouchers.models import Offer, SellingSwitch
from vouchers.services import selling_switches

Scope = SellingSwitch.Scope
# A session is the app above's: here it is known by its offers alone.
PREFIXES = {Scope.BRAND: Brand.PREFIX, Scope.SESSION: "liv", Scope.OFFER: Offer.PREFIX}


class ResumeBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    scope = serializers.ChoiceField(choices=Scope.choices)
    id = serializers.CharField(required=False, max_length=64, help_text="liv_… or off_…; a brand needs none.")


class StopBody(ResumeBody):
    reason = serializers.CharField(max_length=256)


class SwitchAnswer(serializers.Serializer[SellingSwitch]):
    scope = serializers.ChoiceField(choices=Scope.choices)
    id = serializers.SerializerMethodField()
    is_stopped = serializers.SerializerMethodField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    changed_at = serializers.DateTimeField()

    def get_id(self, switch: SellingSwitch) -> str:
        return ids.public(PREFIXES[Scope(switch.scope)], switch.scope_id)

    def get_is_stopped(self, switch: SellingSwitch) -> bool:
        return switch.stopped_at is not None


class StopSelling(APIView):
    """/api/v1/selling/stop"""

    @extend_schema(
        operation_id="stop_selling",
        summary="Stop the sale of an offer, a live session or the whole brand at once",
        request=StopBody,
        responses={200: SwitchAnswer, **errors_of(errors.SwitchScopeNotFound, BrandNotFound, BrandRequired)},
        tags=["selling"],
    )
    def post(self, request: Request) -> Response:
        body = body_of(request, StopBody).validated_data
        where = _where(request, body)
        thrown = selling_switches.stop(**where, reason=body["reason"], by=caller(request), at=timezone.now())
        return Response(SwitchAnswer(thrown).data)


class ResumeSelling(APIView):
    """/api/v1/selling/resume"""

    @extend_schema(
        operation_id="resume_selling",
        summary="Let the sale go on there; other switches that stand still stop it",
        request=ResumeBody,
        responses={200: SwitchAnswer, **errors_of(errors.SwitchScopeNotFound, BrandNotFound, BrandRequired)},
        tags=["selling"],
    )
    def post(self, request: Request) -> Response:
        where = _where(request, body_of(request, ResumeBody).validated_data)
        return Response(SwitchAnswer(selling_switches.resume(**where, by=caller(request), at=timezone.now())).data)


def _where(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """The scope that the caller means, if it is of a brand that she may sell for."""
    scope = Scope(body["scope"])
    brand = body.get("brand") or (body.get("id") if scope is Scope.BRAND else None)
    brand_id = brand_for_caller(caller(request), Permission.SELL, at=timezone.now(), brand=brand)
    scope_id = brand_id if scope is Scope.BRAND else _own(scope, body.get("id", ""), brand_id)
    return {"scope": scope, "scope_id": scope_id, "brand_id": brand_id}


def _own(scope: SellingSwitch.Scope, public_id: str, brand_id: UUID) -> UUID:
    scope_id = ids.parse(PREFIXES[scope], public_id)
    of_brand = Offer.objects.filter(brand_id=brand_id)
    known = of_brand.filter(pk=scope_id) if scope is Scope.OFFER else of_brand.filter(session_id=scope_id)
    if not known.exists():
        raise errors.SwitchScopeNotFound(param="id")
    return scope_id
