"""What the repository says about the API is what the code says."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from config.kernel.api import schema
from config.kernel.api.document import document
from config.kernel.api.error_page import known_errors
from config.kernel.errors import IdempotencyConflict, NotAllowed

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.mark.parametrize("page", ["openapi.yaml", "errors.md"])
def test_committed_page_is_current(page: str, tmp_path: Path, settings: Settings) -> None:
    committed = (settings.BASE_DIR / "docs" / page).read_text()
    settings.BASE_DIR = tmp_path

    call_command("api_docs")

    assert (tmp_path / "docs" / page).read_text() == committed, "run ./manage.py api_docs and commit docs/"


def test_committed_document_is_the_one_served() -> None:
    served = Client().get("/api/v1/openapi.json")

    assert served.status_code == 200
    assert served.json() == json.loads(
        json.dumps(yaml.safe_load((settings.BASE_DIR / "docs/openapi.yaml").read_text()))
    )


def test_document_refers_to_nothing_that_is_not_in_it() -> None:
    made = document()

    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(made))):
        found: Any = made
        for name in reference.split("/"):
            assert name in found, reference
            found = found[name]


def test_every_operation_has_a_name_of_its_own() -> None:
    operations = [
        operation["operationId"]
        for of_path in document()["paths"].values()
        for method, operation in of_path.items()
        if method in METHODS
    ]

    assert len(operations) == len(set(operations))


def test_an_operation_is_secured_by_credentials_that_the_document_defines() -> None:
    known = set(document()["components"]["securitySchemes"])

    for path, of_path in document()["paths"].items():
        for method in METHODS & set(of_path):
            for requirement in of_path[method].get("security", []):
                assert isinstance(requirement, dict), f"{method} {path}"
                assert set(requirement) <= known, f"{method} {path}"


def test_an_operation_that_reads_the_idempotency_key_says_so() -> None:
    silent = []
    for path, view in api_views():
        for method in METHODS & set(vars(view)):
            reads = "idempotency_key(" in inspect.getsource(getattr(view, method))
            described = document()["paths"][path][method].get("parameters", [])
            says = any(each["name"] == "Idempotency-Key" for each in described)
            if reads != says:
                silent.append(f"{method.upper()} {path}: add errors_of(IdempotencyConflict, …) to its responses")

    assert silent == []


def test_errors_of_gives_one_answer_a_status_with_every_code() -> None:
    answers = schema.errors_of(IdempotencyConflict, NotAllowed)

    assert list(answers) == [403, 409]
    assert "`idempotency_conflict`" in answers[409].description


def test_every_error_has_a_code_two_sentences_and_a_status() -> None:
    for error in known_errors():
        code = error.code
        assert re.fullmatch(r"[a-z][a-z0-9_]+", code)
        assert error.zh, code
        assert error.en, code
        assert 400 <= error.status <= 599, code


def test_operations_of_the_lane_are_in_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_lane_operations", {})
    monkeypatch.setattr(schema, "_lane_components", {})
    operation = {"operationId": "buy", "responses": {"201": {"description": "sold"}}, "security": [{"apiKey": []}]}
    schema.register_lane_operation("/api/v1/x", "POST", operation, {"Sold": {"type": "object"}})
    made: dict[str, Any] = {"paths": {}, "components": {}}

    schema.add_common_answers(schema.add_lane_operations(made, None, None, True), None, None, True)

    assert set(made["paths"]["/api/v1/x"]["post"]["responses"]) == {"201", "401", "403", "422", "429", "500", "503"}
    assert made["components"]["schemas"]["Sold"] == {"type": "object"}
    with pytest.raises(AssertionError, match="both"):
        schema.add_lane_operations(made, None, None, True)


@pytest.mark.django_db  # the end of a streamed answer closes old connections
def test_swagger_page_has_nothing_inline_and_all_it_needs_is_here() -> None:
    page = Client().get("/api/docs/")
    text = page.content.decode()

    assert page.status_code == 200
    assert "<style" not in text
    assert " style=" not in text
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(addresses) == 5
    for address in addresses:
        assert address.startswith("/")
        answer = Client().get(address.replace("&amp;", "&"))
        assert answer.status_code == 200, address
        answer.close()
    script = Client().get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/v1/openapi.json" in script.content.decode()


def test_public_keys_are_served() -> None:
    answer = Client().get("/api/v1/keys")

    assert answer.status_code == 200
    assert {key["alg"] for key in answer.json()["keys"]} == {"ES256"}
    assert answer["RateLimit-Limit"] == "6000"


def api_views() -> Iterator[tuple[str, type]]:
    def below(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, type]]:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from below(pattern.url_patterns, path)
            elif path.startswith("api/v1/") and hasattr(pattern.callback, "view_class"):
                yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path), pattern.callback.view_class

    yield from below(get_resolver().url_patterns, "")
