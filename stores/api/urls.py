"""The JSON addresses of stores, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from stores.api import sign_in, webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("staff/sign-in", sign_in.SignIn.as_view()),
    path("webhooks", webhooks.Webhooks.as_view()),
    path("webhooks/<str:webhook>", webhooks.Webhook.as_view()),
    path("webhooks/<str:webhook>/deliveries", webhooks.Deliveries.as_view()),
    path("deliveries/<str:delivery>/resend", webhooks.Resend.as_view()),
]
