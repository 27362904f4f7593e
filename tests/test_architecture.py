"""What no linter knows about the arrows of docs/architecture.md."""

from django.apps import apps
from django.db.models import ForeignKey

DOWNWARDS = ["livestream", "orders", "vouchers", "stores", "accounts", "kernel"]


def test_foreign_keys_point_downwards_only() -> None:
    upwards = [
        f"{model._meta.label}.{field.name} → {field.related_model._meta.label}"
        for model in apps.get_models()
        if model._meta.app_label in DOWNWARDS
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey)
        and field.related_model._meta.app_label in DOWNWARDS
        and DOWNWARDS.index(field.related_model._meta.app_label) < DOWNWARDS.index(model._meta.app_label)
    ]

    assert upwards == []
