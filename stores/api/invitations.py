"""Letting a new colleague in by a link."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import staff_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed
from stores import queries
from stores.api.shown import Nothing, PublicId
from stores.api.staff import StaffAnswer
from stores.errors import (
    InvitationExpired,
    InvitationNotFound,
    InvitationUsed,
    InvitationWithdrawn,
    PasswordTooWeak,
    PinTooWeak,
    StoreIsClosed,
    StoreNotFound,
    UsernameTaken,
)
from stores.models import Invitation
from stores.permissions import Permission, Role
from stores.services import invitations
from stores.services.people import NewPerson

TOKEN_HELP = "What the link carries: hxi_…; behind a `#`, it stays out of every log."  # noqa: S105 - a sentence


class InvitationAnswer(serializers.ModelSerializer[Invitation]):
    id = serializers.CharField(source="public_id", help_text="inv_…")
    store = PublicId("sto", source="store_id")
    invited_by = PublicId("usr", source="invited_by_id")
    staff = PublicId("stf", source="staff_id", allow_null=True, help_text="Whom it made; stf_…")

    class Meta:
        model = Invitation
        fields = (
            *("id", "store", "role", "invited_by", "created_at", "expires_at", "withdrawn_at", "accepted_at"),
            "staff",
        )


class InvitationWithToken(serializers.Serializer[Any]):
    invitation = InvitationAnswer()
    token = serializers.CharField(help_text=f"Shown this once. {TOKEN_HELP}")


class NewInvitation(StrictSerializer):
    role = serializers.ChoiceField(choices=[Role.CLERK, Role.STORE_MANAGER], default=Role.CLERK)
    hours = serializers.IntegerField(min_value=1, max_value=7 * 24, default=24, help_text="How long it is open.")


class InvitationToken(StrictSerializer):
    token = serializers.CharField(max_length=128, help_text=TOKEN_HELP)


class OpenInvitation(serializers.Serializer[Invitation]):
    """What the invited person reads before she gives her name."""

    brand_name = serializers.CharField(source="brand.name")
    store_name = serializers.CharField(source="store.name")
    role = serializers.ChoiceField(choices=Role.choices)
    expires_at = serializers.DateTimeField()


class Acceptance(InvitationToken):
    name = serializers.CharField(max_length=64, help_text="What colleagues call her.")
    username = serializers.RegexField(r"^[A-Za-z0-9._@+-]{3,64}$", help_text="What she signs in with.")
    password = serializers.CharField(max_length=128, trim_whitespace=False, write_only=True)
    pin = serializers.CharField(max_length=16, write_only=True, help_text="4 to 6 digits, for the store's devices.")


class StoreInvitations(APIView):
    @extend_schema(
        operation_id="list_invitations",
        summary="A store's invitations, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(InvitationAnswer), **errors_of(NotAllowed, StoreNotFound)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/invitations"""
        asked = query_of(request, PageQuery).validated_data
        by, at = staff_caller(request), timezone.now()
        here = queries.store_for_caller(by, store, permission=Permission.APPOINT_STAFF, at=at)
        page = page_of(Invitation.objects.filter(store=here), by="created_at", **asked)
        return Response(page.body(lambda invitation: InvitationAnswer(invitation).data))

    @extend_schema(
        operation_id="invite_staff",
        summary="A token that makes whoever accepts it a clerk or manager of the store",
        description="Not repeatable: who lost the answer takes that invitation back and makes another.",
        request=NewInvitation,
        responses={201: InvitationWithToken, **errors_of(NotAllowed, StoreIsClosed, StoreNotFound)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/invitations"""
        by, at = staff_caller(request), timezone.now()
        new = body_of(request, NewInvitation).validated_data
        invited = invitations.invite(
            store=store, role=Role(new["role"]), open_for=timedelta(hours=new["hours"]), by=by, at=at
        )
        return Response(InvitationWithToken(invited).data, status=201, headers={"Cache-Control": "no-store"})


class WithdrawInvitation(APIView):
    @extend_schema(
        operation_id="withdraw_invitation",
        summary="Take an invitation back",
        request=None,
        responses={200: InvitationAnswer, **errors_of(InvitationNotFound, InvitationUsed)},
        auth=only("staffToken"),
        tags=["staff"],
    )
    def post(self, request: Request, invitation: str) -> Response:
        """POST /api/v1/invitations/{invitation}/withdraw"""
        by = staff_caller(request)
        body_of(request, Nothing)
        withdrawn = invitations.withdraw(
            invitation_id=ids.parse(Invitation.PREFIX, invitation), by=by, at=timezone.now()
        )
        return Response(InvitationAnswer(withdrawn).data)


class CheckInvitation(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="check_invitation",
        summary="What an invitation would make of whoever accepts it",
        request=InvitationToken,
        responses={
            200: OpenInvitation,
            **errors_of(InvitationExpired, InvitationNotFound, InvitationUsed, InvitationWithdrawn),
        },
        tags=["staff"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/invitations/check"""
        token = body_of(request, InvitationToken).validated_data["token"]
        return Response(OpenInvitation(invitations.open_invitation(token, at=timezone.now())).data)


class AcceptInvitation(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="accept_invitation",
        summary="Accept an invitation: a name, a sign-in and a PIN",
        request=Acceptance,
        responses={
            200: StaffAnswer,
            201: StaffAnswer,
            **errors_of(
                InvitationExpired,
                InvitationNotFound,
                InvitationUsed,
                InvitationWithdrawn,
                PasswordTooWeak,
                PinTooWeak,
                UsernameTaken,
                IdempotencyConflict,
            ),
        },
        tags=["staff"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/invitations/accept"""
        key = idempotency_key(request)
        given = body_of(request, Acceptance).validated_data
        made = invitations.accept(
            token=given["token"],
            person=NewPerson(username=given["username"], password=given["password"], display_name=given["name"]),
            pin=given["pin"],
            request_id=key,
            at=timezone.now(),
        )
        return Response(StaffAnswer(made.row).data, status=201 if made.is_new else 200)
