"""Every address of the site."""

from django.urls import URLPattern, URLResolver, include, path

from config.kernel.api.views import SwaggerPage, openapi_document

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/openapi.json", openapi_document, name="openapi"),
    path("api/docs/", SwaggerPage.as_view(), name="api_docs"),
    path("api/v1/", include("config.accounts.api.urls")),
    # Walked from above: quotes and orders at stores are what is asked for most.
    path("api/v1/", include("orders.api.urls")),
    path("api/v1/", include("stores.api.urls")),
    path("api/v1/", include("vouchers.api.urls")),
    path("api/v1/", include("livestream.api.urls")),
    path("", include("config.pages.design.urls")),
    path("console/", include("config.pages.console.urls")),
    path("shop/<slug:slug>/", include("config.pages.shop.urls")),
]
handler400 = "config.pages.design.faults.bad_request"
handler403 = "config.pages.design.faults.permission_denied"
handler404 = "config.pages.design.faults.page_not_found"
handler500 = "config.pages.design.faults.server_error"
