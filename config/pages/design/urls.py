"""Addresses that belong to no one place."""

from django.urls import path

from config.pages.design import views

urlpatterns = [
    path("language/", views.choose_language, name="language"),
    path("styleguide/", views.styleguide, name="styleguide"),
]
