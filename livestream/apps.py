from django.apps import AppConfig


class LivestreamConfig(AppConfig):
    name = "livestream"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from livestream.lane import openapi

        openapi.register()
