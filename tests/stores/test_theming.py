"""A brand's owner sets colours and pictures; what is shown is derived and drawn by this site."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from config.accounts.tokens import sign_staff
from config.kernel.models import AuditEntry
from stores.api import themes
from stores.models import Brand, BrandPicture
from stores.services import theming
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def picture(width: int = 640, height: int = 320, *, format: str = "PNG", **saved: Any) -> bytes:
    written = io.BytesIO()
    grain = Image.effect_noise((max(width // 20, 1), max(height // 20, 1)), 80)
    grain.convert("RGB").resize((width, height)).save(written, format, **saved)
    return written.getvalue()


def put(brand: Brand, path: str, body: Any, *, role: str = "owner", content_type: str = "application/json") -> Any:
    staff = factories.staff(brand, role=role)
    token = sign_staff(user_id=staff.user_id, at=datetime.now(UTC)).text
    return Client(headers={"Authorization": f"Bearer {token}"}).put(
        f"/api/v1/brands/{brand.public_id}/{path}", body, content_type=content_type
    )


def test_the_colours_are_derived_stored_and_answered(brand: Brand) -> None:
    answer = put(brand, "theme", {"seed": "#ffd500", "sections": ["listings", "questions"]})

    assert answer.status_code == 200
    brand.refresh_from_db()
    assert answer.json() == brand.theme
    assert brand.theme["seed"] == brand.theme["light"]["hero"] == "#FFD500"
    assert brand.theme["sections"] == ["listings", "questions"]
    assert {change["role"] for change in brand.theme["changes"]} == {"brand", "brand_ink"}
    assert AuditEntry.objects.get(act="brand.themed").details["seed"] == "#FFD500"


def test_the_same_theme_again_changes_nothing(brand: Brand) -> None:
    put(brand, "theme", {"seed": "#0C6170"})
    put(brand, "theme", {"seed": "#0C6170"})

    assert AuditEntry.objects.filter(act="brand.themed").count() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"seed": "teal"}, "colour_invalid"),
        ({"seed": "#0C6170", "hero": "url(x)"}, "colour_invalid"),
        ({"seed": "#0C6170", "sections": ["trust"]}, "sections_invalid"),
        ({"seed": "#0C6170", "sections": ["listings", "listings"]}, "sections_invalid"),
        ({"seed": "#0C6170", "sections": ["listings", "casino"]}, "sections_invalid"),
        ({"seed": "#0C6170", "css": "body{}"}, "unknown_parameter"),
    ],
)
def test_what_is_no_theme_is_refused(brand: Brand, body: dict[str, Any], code: str) -> None:
    answer = put(brand, "theme", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_a_picture_is_drawn_anew_small_and_without_its_metadata(brand: Brand) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    answer = put(
        brand, "pictures/hero", picture(3_000, 1_500, format="JPEG", exif=exif), content_type="application/octet-stream"
    )

    assert answer.status_code == 200
    kept = BrandPicture.objects.get()
    content = bytes(kept.content)
    assert answer.json() == {"kind": "hero", "width": 1_200, "height": 600, "hash": kept.content_hash}
    assert len(content) <= theming.LARGEST_BYTES
    assert b"taken at home" not in content
    with Image.open(io.BytesIO(content)) as shown:
        assert (shown.format, shown.size) == ("WEBP", (1_200, 600))


def test_the_next_picture_of_a_kind_takes_the_place_of_the_one_before(brand: Brand) -> None:
    first, again = (put(brand, "pictures/logo", picture(), content_type="image/png").json()["hash"] for _ in range(2))
    other = put(brand, "pictures/logo", picture(), content_type="image/png").json()["hash"]

    assert len({first, again, other}) == 3  # noise is never the same
    assert BrandPicture.objects.get().content_hash == other


def test_the_same_picture_again_changes_nothing(brand: Brand) -> None:
    upload = picture()
    for _ in range(2):
        put(brand, "pictures/logo", upload, content_type="image/png")

    assert AuditEntry.objects.filter(act="brand.picture_set").count() == 1


def refused(brand: Brand, body: bytes, content_type: str = "application/octet-stream") -> tuple[int, str]:
    answer = put(brand, "pictures/logo", body, content_type=content_type)
    return answer.status_code, answer.json()["error"]["code"]


def test_what_is_no_picture_is_refused(brand: Brand) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

    for rubbish in (b"", b"GIF89a", svg, "😀".encode(), picture()[:200], picture(format="GIF")):
        assert refused(brand, rubbish) == (422, "picture_refused")
    assert refused(brand, svg, "image/svg+xml") == (422, "picture_refused")
    assert refused(brand, picture(), "text/html") == (415, "unsupported_media_type")
    assert not BrandPicture.objects.exists()


def test_a_small_file_with_too_many_pixels_is_refused_before_it_is_drawn(brand: Brand) -> None:
    bomb = io.BytesIO()
    Image.new("1", (6_001, 4_000)).save(bomb, "PNG")

    assert len(bomb.getvalue()) < 20_000
    assert refused(brand, bomb.getvalue()) == (422, "picture_refused")
    assert refused(brand, picture(31, 200)) == (422, "picture_refused")


def test_an_upload_is_bounded(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(themes, "LARGEST_UPLOAD", 1_000)

    assert refused(brand, picture()) == (413, "request_too_large")


def test_a_picture_can_be_taken_away_once(brand: Brand) -> None:
    put(brand, "pictures/mascot", picture(), content_type="image/png")
    owner = factories.staff(brand, role="owner")
    client = Client(headers={"Authorization": f"Bearer {sign_staff(user_id=owner.user_id, at=datetime.now(UTC)).text}"})
    address = f"/api/v1/brands/{brand.public_id}/pictures/mascot"

    assert client.delete(address).status_code == 204
    assert client.delete(address).json()["error"]["code"] == "picture_not_found"
    assert put(brand, "pictures/wallpaper", picture(), content_type="image/png").status_code == 404
