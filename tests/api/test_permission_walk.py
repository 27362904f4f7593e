"""
Every operation × everybody × own brand, own store, another store, another brand.

Let in is who the table lets in (stores/permissions.py), and nobody else.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import orjson
import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from config.kernel.api.document import document
from stores.api.authentication import known_keys
from tests.api.operations import OPERATIONS, QUERIES, Operation, Target
from tests.api.world import Side, Someone, World, forgotten

LANE_ALONE = {"watch_live_figures"}
"""The site has no such address; it is anybody's, and tests/livestream/test_lane.py reads it."""


PARTS = 6
"""Of the operations, so that every core has some."""

KNOCKING = Client(raise_request_exception=False)
"""One for all: each new one looks through every static file again."""


def described() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """(method, path, description) by operation id."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, of_path in document()["paths"].items()
        for method, operation in of_path.items()
    }


@pytest.fixture
def world() -> World:
    known_keys.forget()
    return World()


def routes(patterns: Any, prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", prefix + str(pattern.pattern))


def test_every_address_of_the_site_is_described() -> None:
    own = {path for path in routes(get_resolver().url_patterns) if path.startswith("/api/v1/")}

    undescribed = own - set(document()["paths"])
    assert undescribed <= {"/api/v1/openapi.json", "/api/v1/docs"}, "an address that the walk cannot see"


def test_every_operation_says_who_may_call_it() -> None:
    assert set(OPERATIONS) == set(described()), "tests/api/operations.py lists every operation, and no other"


def test_every_operation_describes_the_credentials_it_takes() -> None:
    wrong = {}
    for name, (_, _, description) in described().items():
        said = {scheme for each in description.get("security", [{}]) for scheme in each}
        if said != credentials_of(OPERATIONS[name]):
            wrong[name] = (sorted(said), sorted(credentials_of(OPERATIONS[name])))

    assert wrong == {}, "auth=only(…) of these operations"


def credentials_of(operation: Operation) -> set[str]:
    schemes = {
        "customer": "customerToken",
        "staff": "staffToken",
        "api_client": "apiKey",
        "device": "deviceKey",
        "counter": "counterToken",
    }
    return {schemes[kind.value] for kind in operation.kinds or () if kind.value in schemes}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.django_db
def test_everybody_is_let_in_where_the_table_says_and_nowhere_else(
    part: int, world: World, subtests: pytest.Subtests
) -> None:
    for name in sorted(set(OPERATIONS) - LANE_ALONE)[part::PARTS]:
        with subtests.test(name):
            assert disagreements(world, name) == []


def disagreements(world: World, name: str) -> list[tuple[Any, ...]]:
    """Every call is made in a transaction that is forgotten, so the next one finds the world as it was."""
    operation = OPERATIONS[name]
    method, path, description = described()[name]
    query = {each["name"] for each in description.get("parameters", []) if each["in"] == "query"}
    sample = operation.body(world.own, world.own.store) if operation.body else None
    fields = set(sample) if isinstance(sample, dict) else set()
    wrong = []
    for target in operation.targets(path, query, fields):
        side = world.foreign if target == "foreign" else world.own
        for who in world.callers:
            if target != "own" and who.kind not in (operation.kinds or ()):
                continue  # refused for what she is, wherever it would be
            expected = operation.expected(who, target)
            answer = call(operation, method, path, query, side, target, who)
            if not agrees(answer, expected, operation.lacks):
                wrong.append(
                    (who.name, target, f"expected {expected}", answer.status_code, answer.content[:200].decode())
                )
    return wrong


def call(
    operation: Operation, method: str, path: str, query: set[str], side: Side, target: Target, who: Someone
) -> Any:
    is_other = target == "other_store"
    filled = re.sub(r"\{(\w+)\}", lambda found: side.named(found[1], path, is_other=is_other), path)
    named = {name: getattr(side, name).public_id for name in ("brand", "terms") if name in query}
    if "q" in query:
        named["q"] = QUERIES["q"](side)
    asked = f"?{urlencode(named)}" if named else ""
    body = operation.body(side, side.other_store if is_other else side.store) if operation.body else None
    headers = {**who.headers, "Idempotency-Key": str(uuid4())}
    with forgotten():
        return KNOCKING.generic(
            method,
            filled + asked,
            *_content(body, operation.media_type),
            headers=headers,
        )


def _content(body: Any, media_type: str) -> tuple[bytes, str]:
    if body is None:
        return b"", "application/json"
    if isinstance(body, bytes):
        return body, media_type
    return (body.encode() if isinstance(body, str) else orjson.dumps(body)), media_type


def agrees(answer: Any, expected: Any, lacks: str) -> bool:
    """Let in is done, or refused for a reason of the matter: never for who asks."""
    status = answer.status_code
    if expected == "allowed" and status == 404 and lacks:
        return bool(answer.json()["error"]["code"] == lacks)
    return status < 300 or status in (400, 409, 422) if expected == "allowed" else status == expected
