"""How a brand's shop looks: colours derived once and stored as they are shown, pictures re-encoded here."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from PIL import Image, ImageOps, UnidentifiedImageError

from config.kernel.caller import Caller
from stores import colours
from stores.errors import ColourInvalid, PictureNotFound, PictureRefused, SectionsInvalid
from stores.models import Brand, BrandPicture
from stores.services import brands, trail

SECTIONS = ("trust", "listings", "stores", "questions")
"""The parts of the live page below its header, in the order in which they stand unless the brand says otherwise."""

FORMATS = ("PNG", "JPEG", "WEBP")
LEAST_PIXELS, MOST_PIXELS = 32, 6_000
LONGEST_SIDE: Mapping[str, int] = {
    BrandPicture.Kind.LOGO: 192,
    BrandPicture.Kind.MASCOT: 384,
    BrandPicture.Kind.HERO: 1_200,
}
LARGEST_BYTES = 45_000
"""Of what is served: a first load has 100 KB for everything."""
QUALITIES = (82, 70, 58, 46, 34, 22, 10)


@dataclass(frozen=True, slots=True)
class Reencoded:
    content: bytes
    width: int
    height: int


def set_theme(
    *, brand_id: UUID, seed: str, hero: str | None, sections: Sequence[str] = SECTIONS, by: Caller, at: datetime
) -> Brand:
    """
    Derive the brand's colours, light and dark, and keep them with what gave way and why. Repeating changes nothing.

    Raises:
        ColourInvalid, SectionsInvalid, BrandNotFound: as they say.
    """
    theme = theme_of(seed=seed, hero=hero, sections=sections)
    with transaction.atomic(durable=True):
        brand = brands.lock(brand_id)
        if trail.change(brand, {"theme": theme}):
            told = {"seed": theme["seed"], "hero": theme["hero"], "sections": list(sections)}
            trail.leave("brand.themed", brand, brand_id=brand.id, by=by, at=at, details=told)
        return brand


def theme_of(*, seed: str, hero: str | None, sections: Sequence[str]) -> dict[str, Any]:
    """
    What is stored.

    Raises:
        ColourInvalid, SectionsInvalid: as they say.
    """
    if len(set(sections)) < len(sections) or not {"listings"} <= set(sections) <= set(SECTIONS):
        raise SectionsInvalid(param="sections", known=", ".join(SECTIONS))
    try:
        derived = colours.derive(seed=seed, hero=hero)
    except ValueError:
        raise ColourInvalid(param="seed" if not colours.HEX.fullmatch(seed) else "hero") from None
    return {
        "seed": colours.checked(seed),
        "hero": colours.checked(hero) if hero else None,
        "sections": list(sections),
        "light": asdict(derived.light),
        "dark": asdict(derived.dark),
        "changes": [asdict(change) for change in derived.changes],
    }


def set_picture(*, brand_id: UUID, kind: str, upload: bytes, by: Caller, at: datetime) -> BrandPicture:
    """
    Show this picture in the brand's shop, in the place of the one before. Repeating changes nothing.

    Raises:
        PictureRefused: not a picture that is taken.
        BrandNotFound: there is none.
    """
    shown = reencoded(upload, longest_side=LONGEST_SIDE[kind])
    content_hash = hashlib.sha256(shown.content).hexdigest()[:16]
    with transaction.atomic(durable=True):
        brand = brands.lock(brand_id)
        before = BrandPicture.objects.filter(brand=brand, kind=kind).first()
        if before is not None and before.content_hash == content_hash:
            return before
        picture, _ = BrandPicture.objects.update_or_create(
            brand=brand, kind=kind, defaults={**asdict(shown), "content_hash": content_hash, "set_at": at}
        )
        told = {"kind": str(kind), "hash": content_hash, "bytes": len(shown.content)}
        trail.leave("brand.picture_set", brand, brand_id=brand.id, by=by, at=at, details=told)
        return picture


def take_picture_away(*, brand_id: UUID, kind: str, by: Caller, at: datetime) -> None:
    """
    Show no picture of this kind any more.

    Raises:
        BrandNotFound, PictureNotFound: there is none.
    """
    with transaction.atomic(durable=True):
        brand = brands.lock(brand_id)
        if not BrandPicture.objects.filter(brand=brand, kind=kind).delete()[0]:
            raise PictureNotFound
        trail.leave("brand.picture_gone", brand, brand_id=brand.id, by=by, at=at, details={"kind": str(kind)})


def reencoded(upload: bytes, *, longest_side: int) -> Reencoded:
    """
    The picture drawn anew as WebP, scaled down and small: nothing of the upload's file, its metadata or its
    later frames is served. SVG is refused: it can carry script, and drawing it takes a library of its own.

    Raises:
        PictureRefused: not a PNG, JPEG or WebP, or not of a useful size.
    """
    if not upload:
        raise PictureRefused(reason="empty")
    try:
        # Only the header is read here: a small file can announce more pixels than there is memory.
        with Image.open(io.BytesIO(upload), formats=FORMATS) as opened:
            if max(opened.size) > MOST_PIXELS:
                raise PictureRefused(reason="too_many_pixels")
            if min(opened.size) < LEAST_PIXELS:
                raise PictureRefused(reason="too_small")
            drawn = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise PictureRefused(reason="not_a_picture") from None
    drawn.thumbnail((longest_side, longest_side))
    for quality in QUALITIES:
        written = io.BytesIO()
        drawn.save(written, "WEBP", quality=quality, method=4)
        if written.tell() <= LARGEST_BYTES:
            break
    return Reencoded(content=written.getvalue(), width=drawn.width, height=drawn.height)
