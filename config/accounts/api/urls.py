"""The JSON addresses of accounts, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from config.accounts.api import views

urlpatterns: list[URLPattern | URLResolver] = [path("keys", views.Keys.as_view())]
