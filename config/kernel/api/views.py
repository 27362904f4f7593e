"""The API about itself: its document, and the page to read it."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from config.kernel.api.document import document


@require_safe
def openapi_document(request: HttpRequest) -> HttpResponse:
    """GET /api/v1/openapi.json"""
    return JsonResponse(
        document(), json_dumps_params={"ensure_ascii": False}, headers={"Cache-Control": "public, max-age=60"}
    )


class SwaggerPage(SpectacularSwaggerSplitView):
    """GET /api/docs/, its script apart from the page, because the page may hold none."""

    template_name = "api/swagger.html"
    url_name = "openapi"
