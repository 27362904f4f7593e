"""Addresses of the console."""

from django.urls import path

from config.pages.console import installing, scanning, signing_in

app_name = "console"
urlpatterns = [
    path("", scanning.scan, name="scan"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("store/", signing_in.stores, name="stores"),
    path("clerk/", signing_in.clerk, name="clerk"),
    path("device/", signing_in.bind_device, name="bind_device"),
    path("manifest.webmanifest", installing.manifest, name="manifest"),
]
