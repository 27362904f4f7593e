"""Who works where."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller_id, staff_caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import MalformedId, NotAllowed
from stores import queries
from stores.api.shown import Nothing, PublicId
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    EntityNotFound,
    LastOwner,
    PasswordTooWeak,
    PinTooWeak,
    RegionNotFound,
    RoleDoesNotFit,
    StaffNotFound,
    StoreNotFound,
    UsernameTaken,
)
from stores.models import Pin, Staff
from stores.permissions import Permission, Role
from stores.services import leaving, pins, staffing
from stores.services.leaving import Left
from stores.services.people import NewPerson
from stores.services.staffing import Place


class StaffAnswer(serializers.ModelSerializer[Staff]):
    id = serializers.CharField(source="public_id", help_text="stf_…")
    user = PublicId("usr", source="user_id")
    username = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user.display_name")
    brand = PublicId("brd", source="brand_id")
    region = PublicId("rgn", source="region_id", allow_null=True)
    entity = PublicId("ent", source="entity_id", allow_null=True)
    store = PublicId("sto", source="store_id", allow_null=True)

    class Meta:
        model = Staff
        fields = (
            *("id", "user", "username", "name", "brand", "role", "region", "entity", "store"),
            *("created_at", "ended_at"),
        )


class StaffQuery(PageQuery):
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    store = PublicId("sto", source="store_id", required=False)
    with_ended = serializers.BooleanField(default=False, help_text="Those who have left, too.")


class Appointment(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    username = serializers.RegexField(r"^[A-Za-z0-9._@+-]{3,64}$", help_text="What she signs in with.")
    name = serializers.CharField(max_length=64, default="", allow_blank=True)
    password = serializers.CharField(
        max_length=128,
        trim_whitespace=False,
        write_only=True,
        help_text="For a new account; an existing one keeps its own.",
    )
    role = serializers.ChoiceField(choices=Role.choices)
    region = PublicId("rgn", source="region_id", required=False)
    entity = PublicId("ent", source="entity_id", required=False)
    store = PublicId("sto", source="store_id", required=False)


class NewPassword(StrictSerializer):
    password = serializers.CharField(max_length=128, trim_whitespace=False, write_only=True)


class NewPin(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    pin = serializers.CharField(max_length=16, write_only=True, help_text="4 to 6 digits.")


class PinAnswer(serializers.Serializer[Pin]):
    brand = PublicId("brd", source="brand_id")
    set_at = serializers.DateTimeField()


class LeftAnswer(serializers.Serializer[Left]):
    user = serializers.CharField(source="user.public_id", help_text="usr_…")
    brand = PublicId("brd", source="brand_id")
    ended = StaffAnswer(many=True, source="staff", help_text="The roles that this call ended.")
    invitations_withdrawn = serializers.IntegerField()


class StaffList(APIView):
    @extend_schema(
        operation_id="list_staff",
        summary="Who works where you may see it",
        parameters=[StaffQuery],
        responses={200: page_schema(StaffAnswer), **errors_of(NotAllowed, MalformedId)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/staff"""
        asked = query_of(request, StaffQuery).validated_data
        by = staff_caller(request)
        rows = queries.staff_seen_by(caller_id(by), at=timezone.now()).select_related("user")
        if not asked["with_ended"]:
            rows = rows.filter(ended_at=None)
        rows = rows.filter(**{name: asked[name] for name in ("role", "store_id") if name in asked})
        page = page_of(rows, by="created_at", limit=asked["limit"], cursor=asked.get("cursor"))
        return Response(page.body(lambda staff: StaffAnswer(staff).data))

    @extend_schema(
        operation_id="appoint_staff",
        summary="Give a person a role; whoever has no account yet gets one",
        request=Appointment,
        responses={
            201: StaffAnswer,
            200: StaffAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                EntityNotFound,
                NotAllowed,
                PasswordTooWeak,
                RegionNotFound,
                RoleDoesNotFit,
                StoreNotFound,
                UsernameTaken,
            ),
        },
        auth=only("staffToken"),
        tags=["staff"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/staff"""
        by, at = staff_caller(request), timezone.now()
        new: dict[str, Any] = body_of(request, Appointment).validated_data
        brand_id = queries.brand_for_caller(by, Permission.APPOINT_STAFF, at=at, brand=new.get("brand"))
        made = staffing.appoint(
            brand_id=brand_id,
            person=NewPerson(username=new["username"], password=new["password"], display_name=new["name"]),
            role=Role(new["role"]),
            place=Place(**{name: new[name] for name in ("region_id", "entity_id", "store_id") if name in new}),
            by=by,
            at=at,
        )
        return Response(StaffAnswer(made.row).data, status=201 if made.is_new else 200)


class EndStaff(APIView):
    @extend_schema(
        operation_id="end_staff",
        summary="End a role from now on",
        request=None,
        responses={200: StaffAnswer, **errors_of(LastOwner, StaffNotFound)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def post(self, request: Request, staff: str) -> Response:
        """POST /api/v1/staff/{staff}/end"""
        by = staff_caller(request)
        body_of(request, Nothing)
        ended = staffing.end(staff_id=ids.parse(Staff.PREFIX, staff), by=by, at=timezone.now())
        return Response(StaffAnswer(ended).data)


class StaffPassword(APIView):
    @extend_schema(
        operation_id="set_staff_password",
        summary="A new password for somebody who lost hers",
        request=NewPassword,
        responses={200: StaffAnswer, **errors_of(NotAllowed, PasswordTooWeak, StaffNotFound)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def post(self, request: Request, staff: str) -> Response:
        """POST /api/v1/staff/{staff}/password"""
        given = body_of(request, NewPassword).validated_data
        staff_id = ids.parse(Staff.PREFIX, staff)
        row = staffing.set_password(staff_id=staff_id, by=staff_caller(request), at=timezone.now(), **given)
        return Response(StaffAnswer(row).data)


class StaffLeave(APIView):
    @extend_schema(
        operation_id="leave_staff",
        summary="Somebody leaves: every role, session and invitation of hers in the brand ends, and her PIN",
        description="Devices she bound belong to the store and stay. Her other brands only ask her to sign in again.",
        request=None,
        responses={200: LeftAnswer, **errors_of(LastOwner, NotAllowed, StaffNotFound)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def post(self, request: Request, staff: str) -> Response:
        """POST /api/v1/staff/{staff}/leave"""
        by = staff_caller(request)
        body_of(request, Nothing)
        left = leaving.leave(staff_id=ids.parse(Staff.PREFIX, staff), by=by, at=timezone.now())
        return Response(LeftAnswer(left).data)


class OwnPin(APIView):
    @extend_schema(
        operation_id="set_own_pin",
        summary="Set your own PIN for the brand's devices; a lock on the former one ends",
        request=NewPin,
        responses={200: PinAnswer, **errors_of(BrandNotFound, BrandRequired, NotAllowed, PinTooWeak)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def put(self, request: Request) -> Response:
        """PUT /api/v1/staff/me/pin"""
        by = staff_caller(request)
        given = body_of(request, NewPin).validated_data
        kept = pins.set_own(pin=given["pin"], brand=given.get("brand"), by=by, at=timezone.now())
        return Response(PinAnswer(kept).data)
