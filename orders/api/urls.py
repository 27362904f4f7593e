"""The JSON addresses of orders, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from orders.api.payments import PaymentAttempts, PaymentNotices

urlpatterns: list[URLPattern | URLResolver] = [
    path("purchases/<str:purchase>/payment", PaymentAttempts.as_view()),
    path("payments/<str:provider>/notices", PaymentNotices.as_view()),
]
