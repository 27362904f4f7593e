"""The database that a run of tests begins with, and how a test that commits leaves it behind."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.backends.utils import CursorWrapper

KEPT = ("django_content_type", "auth_permission")
"""What ``migrate`` has written beside the schema; no act of ours writes it."""


def migrated_template() -> str:
    """
    The name of a database that has every migration and no row.

    Migrating takes longer than most runs of a few tests. So it is done once, and every run and every worker
    beside it begins with a copy, until a migration, or what migrations are made of, changes.
    """
    given = connections["default"].settings_dict["NAME"]
    name = f"{given}_template_{_digest()}"
    with _maintenance() as server:
        # One of this database's runs and workers migrates, the others wait for it, on a slow machine too.
        server.execute("SET statement_timeout = 0")
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [given])
        server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{given}_template_"])
        there = {row[0] for row in server.fetchall()}
        for old in there - {name}:
            server.execute(f'DROP DATABASE IF EXISTS "{old}"')
        if name not in there:
            server.execute(f'CREATE DATABASE "{name}_unfinished"')
            _migrate(f"{name}_unfinished")
            server.execute(f'ALTER DATABASE "{name}_unfinished" RENAME TO "{name}"')
    return name


def forget_rows() -> None:
    """
    Delete whatever was committed, and nothing that ``migrate`` has written.

    Django empties all tables with TRUNCATE, which makes new files for each of them and its indexes: a hundred
    times the work of deleting a handful of rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(_look())
        tables = [row[0] for row in cursor.fetchall()]
        if tables:
            # What is written once may go here, and in any order: no trigger fires for a replica.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("; ".join(f'DELETE FROM "{table}"' for table in tables))  # noqa: S608 - Django's own names
            cursor.execute("SET session_replication_role = DEFAULT")


@cache
def _look() -> str:
    """Which tables have a row."""
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - {*KEPT}
    return " UNION ALL ".join(f"(SELECT '{table}' FROM \"{table}\" LIMIT 1)" for table in sorted(tables))  # noqa: S608 - likewise


def _digest() -> str:
    """Of everything a migrated database follows from: the migrations, and the modules of ours that they name."""
    sources = {*settings.BASE_DIR.glob("*/migrations/*.py"), *settings.BASE_DIR.glob("config/*/migrations/*.py")}
    named = {name for source in sources for name in re.findall(r"config\.kernel\.\w+", source.read_text())}
    sources |= {settings.BASE_DIR / f"{name.replace('.', '/')}.py" for name in named}
    whole = hashlib.sha256(django.__version__.encode())
    for source in sorted(sources):
        whole.update(str(source.relative_to(settings.BASE_DIR)).encode() + source.read_bytes())
    return whole.hexdigest()[:12]


@contextmanager
def _maintenance() -> Iterator[CursorWrapper]:
    with connections["default"]._nodb_cursor() as cursor:
        yield cursor


def _migrate(name: str) -> None:
    described = connections["default"].settings_dict
    given = described["NAME"]
    connections["default"].close()
    described["NAME"] = name
    try:
        call_command("migrate", verbosity=0)
    finally:
        connections["default"].close()
        described["NAME"] = given
