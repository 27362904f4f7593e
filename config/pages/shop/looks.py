"""A brand's colours as a style sheet and its pictures, each under a name that changes with its content."""

from collections.abc import Mapping

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.pages.shop.frame import theme_hash
from stores.models import Brand, BrandPicture

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
ROLES = {"brand": "brand", "on_brand": "on-brand", "brand_soft": "brand-soft", "brand_ink": "brand-ink"}
HERO = {"hero": "hero", "on_hero": "on-hero"}


@require_safe
def theme(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """The brand's roles over the fixed tokens, which stay as they are."""
    brand = Brand.objects.filter(slug=slug).first()
    if brand is None or "light" not in brand.theme or theme_hash(brand.theme) != name:
        raise Http404
    light, dark = _declared(brand.theme["light"]), _declared(brand.theme["dark"])
    sheet = (
        f":root,[data-theme=light]{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"[data-theme=dark]{{{dark}}}\n"
    )
    return HttpResponse(sheet, content_type="text/css; charset=utf-8", headers=FOR_EVER)


@require_safe
def picture(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    found = BrandPicture.objects.filter(brand__slug=slug, content_hash=name).first()
    if found is None:
        raise Http404
    return HttpResponse(bytes(found.content), content_type="image/webp", headers=FOR_EVER)


def _declared(palette: Mapping[str, str]) -> str:
    """Hexes as ``stores.services.theming`` stored them; nothing a person wrote comes into the sheet."""
    return "".join(f"--{role}:{palette[name]};" for name, role in {**ROLES, **HERO}.items())
