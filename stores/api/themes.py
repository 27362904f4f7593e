"""How a brand's shop looks: its colours, and its pictures."""

from collections.abc import Mapping
from typing import IO, Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import staff_caller
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import NotAllowed, RequestTooLarge, UnsupportedMediaType
from stores import queries
from stores.errors import BrandNotFound, ColourInvalid, PictureNotFound, PictureRefused, SectionsInvalid
from stores.models import Brand, BrandPicture
from stores.permissions import Permission
from stores.services import theming

LARGEST_UPLOAD = 2 * 1024 * 1024
KIND = OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=BrandPicture.Kind.values)


class PictureParser(BaseParser):
    """A picture's bytes as they come, 2 MB at most; what they are is asked of the bytes, not of the header."""

    media_type = "application/octet-stream"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """
        Raises:
            RequestTooLarge: more than 2 MB.
        """
        body = stream.read(LARGEST_UPLOAD + 1)
        if len(body) > LARGEST_UPLOAD:
            raise RequestTooLarge
        return body


class NamedPictureParser(PictureParser):
    """The same where the client says which kind of picture it is."""

    media_type = "image/*"


class ThemeBody(StrictSerializer):
    seed = serializers.CharField(max_length=16, help_text="The brand's colour, such as #0C6170.")
    hero = serializers.CharField(
        max_length=16, required=False, allow_null=True, help_text="Of the header, where it is another."
    )
    sections = serializers.ListField(
        child=serializers.CharField(max_length=16),
        required=False,
        max_length=8,
        help_text=f"The live page's parts in their order; some of {', '.join(theming.SECTIONS)}.",
    )


class PaletteAnswer(serializers.Serializer[Any]):
    brand = serializers.CharField()
    on_brand = serializers.CharField()
    brand_soft = serializers.CharField()
    brand_ink = serializers.CharField()
    hero = serializers.CharField()
    on_hero = serializers.CharField()


class ColourChange(serializers.Serializer[Any]):
    """A colour that had to give way to be readable, and why."""

    role = serializers.CharField()
    given = serializers.CharField()
    became = serializers.CharField()
    code = serializers.CharField()
    zh = serializers.CharField()
    en = serializers.CharField()


class ThemeAnswer(serializers.Serializer[Any]):
    seed = serializers.CharField()
    hero = serializers.CharField(allow_null=True)
    sections = serializers.ListField(child=serializers.CharField())
    light = PaletteAnswer()
    dark = PaletteAnswer()
    changes = ColourChange(many=True)


class PictureAnswer(serializers.Serializer[BrandPicture]):
    kind = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    hash = serializers.CharField(source="content_hash", help_text="Names the picture in the shop's addresses.")


class BrandTheme(APIView):
    @extend_schema(
        operation_id="set_theme",
        summary="Derive the shop's colours from the brand's, readable in light and dark",
        request=ThemeBody,
        responses={200: ThemeAnswer, **errors_of(BrandNotFound, ColourInvalid, NotAllowed, SectionsInvalid)},
        auth=only("staffToken"),
        tags=["brands"],
    )
    def put(self, request: Request, brand: str) -> Response:
        """PUT /api/v1/brands/{brand}/theme"""
        by, at = staff_caller(request), timezone.now()
        ids.parse(Brand.PREFIX, brand)
        brand_id = queries.brand_for_caller(by, Permission.EDIT_BRAND, at=at, brand=brand)
        given = body_of(request, ThemeBody).validated_data
        themed = theming.set_theme(
            brand_id=brand_id,
            seed=given["seed"],
            hero=given.get("hero"),
            sections=given.get("sections", theming.SECTIONS),
            by=by,
            at=at,
        )
        return Response(ThemeAnswer(themed.theme).data)


class BrandPictures(APIView):
    parser_classes = (PictureParser, NamedPictureParser)

    @extend_schema(
        operation_id="set_brand_picture",
        summary="Show a logo, mascot or header picture in the shop",
        description="PNG, JPEG or WebP as the body (`image/…` will do as well), 2 MB at most. It is drawn anew as "
        "WebP, scaled down, without its metadata.",
        parameters=[KIND],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={
            200: PictureAnswer,
            **errors_of(
                BrandNotFound, NotAllowed, PictureNotFound, PictureRefused, RequestTooLarge, UnsupportedMediaType
            ),
        },
        auth=only("staffToken"),
        tags=["brands"],
    )
    def put(self, request: Request, brand: str, kind: str) -> Response:
        """PUT /api/v1/brands/{brand}/pictures/{kind}"""
        by, at = staff_caller(request), timezone.now()
        ids.parse(Brand.PREFIX, brand)
        brand_id = queries.brand_for_caller(by, Permission.EDIT_BRAND, at=at, brand=brand)
        body = request.data if isinstance(request.data, bytes) else b""  # without a body no parser is asked
        picture = theming.set_picture(brand_id=brand_id, kind=_known(kind), upload=body, by=by, at=at)
        return Response(PictureAnswer(picture).data)

    @extend_schema(
        operation_id="take_brand_picture_away",
        summary="Show no such picture any more",
        parameters=[KIND],
        responses={204: None, **errors_of(BrandNotFound, NotAllowed, PictureNotFound)},
        auth=only("staffToken"),
        tags=["brands"],
    )
    def delete(self, request: Request, brand: str, kind: str) -> Response:
        """DELETE /api/v1/brands/{brand}/pictures/{kind}"""
        by, at = staff_caller(request), timezone.now()
        ids.parse(Brand.PREFIX, brand)
        brand_id = queries.brand_for_caller(by, Permission.EDIT_BRAND, at=at, brand=brand)
        theming.take_picture_away(brand_id=brand_id, kind=_known(kind), by=by, at=at)
        return Response(status=204)


def _known(kind: str) -> str:
    if kind not in BrandPicture.Kind.values:
        raise PictureNotFound
    return kind
