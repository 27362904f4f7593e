"""Live sessions: made, looked at, and run."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import DomainError, IdempotencyConflict
from livestream import errors, queries
from livestream.api.listings import ListingAnswer
from livestream.models import LiveSession
from livestream.services import sessions
from stores.errors import BrandNotFound, BrandRequired
from stores.models import Brand
from stores.permissions import Permission
from stores.queries import brand_for_caller
from vouchers.models import SellingSwitch
from vouchers.services import selling_switches


class SessionBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…; only for people who serve several brands.")
    title = serializers.CharField(max_length=128)
    is_standing = serializers.BooleanField(default=False, help_text="The brand's shelf: it never ends by itself.")
    starts_at = serializers.DateTimeField(required=False, help_text="As announced; now where it is left out.")
    ends_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When it closes by itself; null: when somebody closes it."
    )


class SessionChangesBody(StrictSerializer):
    title = serializers.CharField(max_length=128, required=False)
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class SessionsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…; only for people who serve several brands.")
    state = serializers.ChoiceField(required=False, choices=LiveSession.State.choices)


class NoFields(StrictSerializer):
    pass


class SessionAnswer(serializers.Serializer[LiveSession]):
    id = serializers.CharField(source="public_id", help_text="liv_…")
    brand = serializers.SerializerMethodField(help_text="brd_…")
    title = serializers.CharField()
    is_standing = serializers.BooleanField()
    state = serializers.ChoiceField(choices=LiveSession.State.choices)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)

    def get_brand(self, session: LiveSession) -> str:
        return ids.public(Brand.PREFIX, session.brand_id)


class KillBody(StrictSerializer):
    reason = serializers.CharField(max_length=256, help_text="For whoever asks later.")


class KillAnswer(serializers.Serializer[SellingSwitch]):
    stopped_at = serializers.DateTimeField(allow_null=True, help_text="Null: selling goes on.")
    reason = serializers.CharField()
    changed_at = serializers.DateTimeField()


class SessionWithListings(SessionAnswer):
    kill = serializers.SerializerMethodField(help_text="The kill switch, where it was ever thrown.")
    listings = serializers.SerializerMethodField()

    @extend_schema_field(KillAnswer(allow_null=True))
    def get_kill(self, session: LiveSession) -> dict[str, Any] | None:
        switch = queries.selling_switch(session)
        return None if switch is None else KillAnswer(switch).data

    @extend_schema_field(ListingAnswer(many=True))
    def get_listings(self, session: LiveSession) -> list[dict[str, Any]]:
        standing = session.listings.filter(taken_off_at=None).order_by("position")
        return [ListingAnswer(listing).data for listing in standing]


class Sessions(APIView):
    """/api/v1/sessions"""

    @extend_schema(
        operation_id="create_session",
        summary="Make a live session, or the brand's shelf",
        request=SessionBody,
        responses={
            200: SessionAnswer,
            201: SessionAnswer,
            **errors_of(
                errors.SessionTimesInvalid,
                errors.ShelfHasNoEnd,
                errors.ShelfExists,
                BrandNotFound,
                BrandRequired,
                IdempotencyConflict,
            ),
        },
        tags=["sessions"],
    )
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        request_id = idempotency_key(request)
        body = body_of(request, SessionBody).validated_data
        brand_id = brand_for_caller(by, Permission.SELL, at=at, brand=body.pop("brand", None))
        made = sessions.create(brand_id=brand_id, request_id=request_id, by=by, at=at, **body)
        return Response(SessionAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_sessions",
        summary="A brand's sessions, newest first",
        parameters=[SessionsQuery],
        responses={200: page_schema(SessionAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["sessions"],
    )
    def get(self, request: Request) -> Response:
        query = query_of(request, SessionsQuery).validated_data
        brand_id = brand_for_caller(caller(request), Permission.SELL, at=timezone.now(), brand=query.get("brand"))
        rows = LiveSession.objects.filter(brand_id=brand_id)
        if "state" in query:
            rows = rows.filter(state=query["state"])
        page = page_of(rows, by="created_at", limit=query["limit"], cursor=query.get("cursor"))
        return Response(page.body(lambda session: SessionAnswer(session).data))


class OneSession(APIView):
    """/api/v1/sessions/{session}"""

    @extend_schema(
        operation_id="get_session",
        summary="A session and what is listed in it",
        responses={200: SessionWithListings, **errors_of(errors.SessionNotFound)},
        tags=["sessions"],
    )
    def get(self, request: Request, session: str) -> Response:
        query_of(request, NoFields)
        found = queries.session_for_caller(session, caller(request), at=timezone.now())
        return Response(SessionWithListings(found).data)

    @extend_schema(
        operation_id="edit_session",
        summary="Change what is announced",
        request=SessionChangesBody,
        responses={
            200: SessionAnswer,
            **errors_of(errors.SessionNotFound, errors.SessionClosed, errors.SessionTimesInvalid, errors.ShelfHasNoEnd),
        },
        tags=["sessions"],
    )
    def patch(self, request: Request, session: str) -> Response:
        by, at = caller(request), timezone.now()
        changes = body_of(request, SessionChangesBody).validated_data
        found = queries.session_for_caller(session, by, at=at)
        return Response(SessionAnswer(sessions.edit(session=found, changes=changes, by=by, at=at)).data)


def turning(operation_id: str, summary: str, *refusals: type[DomainError]) -> Callable[[Any], Any]:
    """Describe a view that turns a session from one state to the next."""
    described = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description="Repeating it changes nothing.",
        request=None,
        responses={200: SessionAnswer, **errors_of(errors.SessionNotFound, *refusals)},
        tags=["sessions"],
    )
    return extend_schema_view(post=described)


class SessionTurn(APIView):
    turn: ClassVar[Callable[..., LiveSession]]

    def post(self, request: Request, session: str) -> Response:
        by, at = caller(request), timezone.now()
        body_of(request, NoFields)
        found = queries.session_for_caller(session, by, at=at)
        return Response(SessionAnswer(self.turn(session=found, by=by, at=at)).data)


@turning(
    "open_session",
    "Go live: what is listed goes on sale",
    errors.SessionClosed,
    errors.SessionNotOpen,
    errors.SessionTimesInvalid,
)
class OpenSession(SessionTurn):
    turn = staticmethod(sessions.open_session)


@turning("pause_session", "Stop selling for a while", errors.SessionClosed, errors.SessionNotOpen)
class PauseSession(SessionTurn):
    turn = staticmethod(sessions.pause)


@turning("resume_session", "Sell on after a pause", errors.SessionClosed, errors.SessionNotOpen)
class ResumeSession(SessionTurn):
    turn = staticmethod(sessions.resume)


@turning("close_session", "End it, and the sale of everything listed, for good")
class CloseSession(SessionTurn):
    turn = staticmethod(sessions.close)


class SessionKill(APIView):
    """/api/v1/sessions/{session}/kill"""

    @extend_schema(
        operation_id="kill_session",
        summary="Stop the sale of everything in it at once",
        description="The emergency stop: it waits for no sale, and no purchase commits more than a moment after it. "
        "The session stays as it is. Repeating it changes nothing but the reason.",
        request=KillBody,
        responses={200: KillAnswer, **errors_of(errors.SessionNotFound)},
        tags=["sessions"],
    )
    def post(self, request: Request, session: str) -> Response:
        by, at = caller(request), timezone.now()
        reason = body_of(request, KillBody).validated_data["reason"]
        found = queries.session_for_caller(session, by, at=at)
        switch = selling_switches.stop(
            scope=SellingSwitch.Scope.SESSION, scope_id=found.id, brand_id=found.brand_id, reason=reason, by=by, at=at
        )
        return Response(KillAnswer(switch).data)

    @extend_schema(
        operation_id="end_session_kill",
        summary="Let the sale go on after a kill",
        description="What else stops it (a pause, another switch) still does. Repeating it changes nothing.",
        responses={200: KillAnswer, **errors_of(errors.SessionNotFound)},
        tags=["sessions"],
    )
    def delete(self, request: Request, session: str) -> Response:
        by, at = caller(request), timezone.now()
        found = queries.session_for_caller(session, by, at=at)
        switch = selling_switches.resume(
            scope=SellingSwitch.Scope.SESSION, scope_id=found.id, brand_id=found.brand_id, by=by, at=at
        )
        return Response(KillAnswer(switch).data)
