"""Every address of the site."""

from django.urls import URLPattern, URLResolver, include, path

from config.kernel.api.views import SwaggerPage, openapi_document

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/openapi.json", openapi_document, name="openapi"),
    path("api/docs/", SwaggerPage.as_view(), name="api_docs"),
    path("api/v1/", include("config.accounts.api.urls")),
    path("api/v1/", include("stores.api.urls")),
    path("api/v1/", include("vouchers.api.urls")),
    path("api/v1/", include("orders.api.urls")),
    path("api/v1/", include("livestream.api.urls")),
]
handler400 = "config.kernel.api.exceptions.bad_request"
handler403 = "config.kernel.api.exceptions.permission_denied"
handler404 = "config.kernel.api.exceptions.page_not_found"
handler500 = "config.kernel.api.exceptions.server_error"
