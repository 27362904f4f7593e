"""References that the database does not hold itself (``db_constraint=False``): the audit finds the orphans."""

from django.apps import apps
from django.db.models import ForeignKey

from orders.invariants.check import Check, Invariant
from orders.invariants.slices import TABLES

NUMBER = "FK"


def invariant() -> Invariant:
    """One check for each such foreign key of every installed app, found in Django's registry."""
    unchecked = [
        field
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey) and not field.db_constraint  # type: ignore[attr-defined]
    ]
    return Invariant(
        NUMBER,
        "every reference without a database constraint finds its row",
        tuple(_check(field) for field in unchecked),
    )


def _check(field: "ForeignKey[object, object]") -> Check:
    table, column = field.model._meta.db_table, field.column
    target, key = field.related_model._meta.db_table, field.target_field.column
    narrowed = next((name for name, whole in TABLES.items() if whole == table), None)
    rows = f"{{{narrowed}}}" if narrowed else f'"{table}"'
    own_key = ", ".join(f'referring."{part.column}"' for part in field.model._meta.pk_fields)
    return Check(
        f"{table}.{column}",
        f"""
        SELECT row({own_key})::text AS row, referring."{column}" AS refers_to, found."{key}" IS NOT NULL AS is_found
        FROM {rows} AS referring LEFT JOIN "{target}" found ON found."{key}" = referring."{column}"
        WHERE referring."{column}" IS NOT NULL
        """,  # noqa: S608 - names of our own tables
        {f"{table}_{field.name}_is_there": "is_found"},
        in_slices=narrowed is not None,
    )
