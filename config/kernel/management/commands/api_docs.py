"""``manage.py api_docs``: writes what the code says about its API into ``docs/``."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from drf_spectacular.renderers import OpenApiYamlRenderer

from config.kernel.api.document import document
from config.kernel.api.error_page import error_page


class Command(BaseCommand):
    help = "Write docs/openapi.yaml and docs/errors.md; a test fails while they are out of date."

    def handle(self, **options: Any) -> None:
        docs = settings.BASE_DIR / "docs"
        docs.mkdir(exist_ok=True)
        (docs / "openapi.yaml").write_bytes(as_yaml(document()))
        (docs / "errors.md").write_text(error_page())


def as_yaml(openapi: dict[str, Any]) -> bytes:
    written: bytes = OpenApiYamlRenderer().render(openapi, renderer_context={})  # type: ignore[no-untyped-call]
    return written
