"""What stands where in a session."""

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
from livestream import errors, queries
from livestream.models import Listing, LiveSession
from livestream.services import listings
from vouchers.errors import OfferNotFound, OfferStateRefuses
from vouchers.models import Offer

POSITION = "From 0; past the end is the end. The others move along."
CARD = "Whatever your live page shows on it; it comes back as it is, to everybody who watches."


class ListingBody(StrictSerializer):
    offer = serializers.CharField(help_text="off_…")
    position = serializers.IntegerField(min_value=0, max_value=10_000, required=False, help_text=POSITION)
    card = serializers.DictField(required=False, help_text=CARD)


class ListingChangesBody(StrictSerializer):
    position = serializers.IntegerField(min_value=0, max_value=10_000, required=False, help_text=POSITION)
    card = serializers.DictField(required=False, help_text=CARD)


class ListingAnswer(serializers.Serializer[Listing]):
    id = serializers.CharField(source="public_id", help_text="lst_…")
    session = serializers.SerializerMethodField(help_text="liv_…")
    offer = serializers.SerializerMethodField(help_text="off_…")
    position = serializers.IntegerField(allow_null=True, help_text="Null once it is taken off.")
    card = serializers.DictField()
    created_at = serializers.DateTimeField()
    taken_off_at = serializers.DateTimeField(allow_null=True)

    def get_session(self, listing: Listing) -> str:
        return ids.public(LiveSession.PREFIX, listing.session_id)

    def get_offer(self, listing: Listing) -> str:
        return ids.public(Offer.PREFIX, listing.offer_id)


class SessionListings(APIView):
    """/api/v1/sessions/{session}/listings"""

    @extend_schema(
        operation_id="list_offer",
        summary="Give an offer its place in a session",
        description="It sells there and nowhere else: at once where the session is open, with it where it is not. "
        "An offer is listed once, so repeating this answers 200 with the same listing.",
        request=ListingBody,
        responses={
            200: ListingAnswer,
            201: ListingAnswer,
            **errors_of(
                errors.SessionNotFound,
                errors.SessionClosed,
                errors.SessionFull,
                errors.OfferListedAlready,
                errors.CardInvalid,
                OfferNotFound,
                OfferStateRefuses,
            ),
        },
        tags=["sessions"],
    )
    def post(self, request: Request, session: str) -> Response:
        by, at = caller(request), timezone.now()
        body = body_of(request, ListingBody).validated_data
        found = queries.session_for_caller(session, by, at=at)
        offer_id = ids.parse(Offer.PREFIX, body.pop("offer"))
        made = listings.list_offer(session=found, offer_id=offer_id, by=by, at=at, **body)
        return Response(ListingAnswer(made.row).data, status=201 if made.is_new else 200)


class OneListing(APIView):
    """/api/v1/listings/{listing}"""

    @extend_schema(
        operation_id="edit_listing",
        summary="Move a listing, or change its card",
        request=ListingChangesBody,
        responses={
            200: ListingAnswer,
            **errors_of(errors.ListingNotFound, errors.SessionClosed, errors.CardInvalid),
        },
        tags=["sessions"],
    )
    def patch(self, request: Request, listing: str) -> Response:
        by, at = caller(request), timezone.now()
        changes = body_of(request, ListingChangesBody).validated_data
        found = queries.listing_for_caller(listing, by, at=at)
        return Response(ListingAnswer(listings.edit(listing=found, changes=changes, by=by, at=at)).data)

    @extend_schema(
        operation_id="take_listing_off",
        summary="Take an offer off its session",
        description="Nothing sold: the offer is free for another session. Something sold: its sale ends, for good.",
        responses={204: None, **errors_of(errors.ListingNotFound)},
        tags=["sessions"],
    )
    def delete(self, request: Request, listing: str) -> Response:
        by, at = caller(request), timezone.now()
        listings.take_off(listing=queries.listing_for_caller(listing, by, at=at), by=by, at=at)
        return Response(status=204)
