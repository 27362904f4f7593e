"""Every address of the site."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("stores.api.urls")),
    path("api/v1/", include("vouchers.api.urls")),
    path("api/v1/", include("orders.api.urls")),
    path("api/v1/", include("livestream.api.urls")),
]
