"""The JSON addresses of stores, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from stores.api import sign_in

urlpatterns: list[URLPattern | URLResolver] = [path("staff/sign-in", sign_in.SignIn.as_view())]
