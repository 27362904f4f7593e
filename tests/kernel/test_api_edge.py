"""The JSON edge: one shape for every refusal, and no input that breaks it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings
from rest_framework import serializers

from config.kernel.api.exceptions import language_of
from config.kernel.api.strict import StrictSerializer
from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from tests.factories import NOW

pytestmark = [pytest.mark.urls("tests.kernel.probe_urls"), pytest.mark.django_db]


@pytest.fixture
def api() -> Client:
    return Client(raise_request_exception=False)


def error_of(answer: Any) -> dict[str, Any]:
    assert answer["Content-Type"] == "application/json"
    body = json.loads(answer.content)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"type", "code", "message", "param", "details", "request_id"}
    assert body["error"]["request_id"] == answer["X-Request-Id"]
    found: dict[str, Any] = body["error"]
    return found


def post(api: Client, path: str, body: bytes | str, content_type: str = "application/json", **headers: Any) -> Any:
    return api.generic("POST", f"/api/v1/{path}", body, content_type, **headers)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"", "application/json", 200, ""),
        (b"\xff\xfe{}", "application/json", 400, "malformed_json"),
        (b'{"text": "\xff"}', "application/json", 400, "malformed_json"),
        (b'{"number": ' + b"9" * 5_000 + b"}", "application/json", 400, "malformed_json"),
        (b'{"number": "' + b"9" * 5_000 + b'"}', "application/json", 422, "malformed_request"),
        (b'{"number": 1e400}', "application/json", 422, "malformed_request"),
        (b'{"number": NaN}', "application/json", 400, "malformed_json"),
        (b'{"anything": ' + b"[" * 200_000 + b"}", "application/json", 400, "malformed_json"),
        (b'{"text": "\\u0000"}', "application/json", 422, "malformed_request"),
        (b'{"text": "\\ud800"}', "application/json", 422, "malformed_request"),
        (b'{"text": {"a": 1}}', "application/json", 422, "malformed_request"),
        (b'{"\\ud800": 1}', "application/json", 422, "unknown_parameter"),
        (b'{"' + b"x" * 100_000 + b'": 1}', "application/json", 422, "unknown_parameter"),
        (b"[]", "application/json", 422, "malformed_request"),
        (b"null", "application/json", 422, "malformed_request"),
        (b"{}", "application/json; charset=bz2_codec", 400, "malformed_json"),
        (b"{}", "application/json; charset=nonsense", 200, ""),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "multipart/form-data", 415, "unsupported_media_type"),
        (b"{}", "\xff\x00;;;", 415, "unsupported_media_type"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_bodies_are_refused_and_never_break(
    api: Client, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = post(api, "echo", body, content_type)

    assert answer.status_code == status
    assert status == 200 or error_of(answer)["code"] == code


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"number": 2**63}, 422, "value_not_storable"),
        ({"number": 10**300}, 422, "value_not_storable"),
        ({"text": "\x00"}, 422, "value_not_storable"),
        ({"text": "\ud800"}, 422, "value_not_storable"),
        ({"json": {"a": "\x00"}}, 422, "value_not_storable"),
        ({"actor": "nobody we know"}, 409, "conflicting_facts"),
    ],
    ids=str,
)
def test_what_the_database_has_to_refuse_is_no_internal_error(
    api: Client, body: dict[str, Any], status: int, code: str
) -> None:
    answer = post(api, "store", json.dumps(body))

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


def test_a_body_too_large_is_not_read_to_its_end(api: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000

    assert post(api, "echo", b'{"text": "' + b"x" * 90 + b'"}').status_code == 200
    answer = post(api, "echo", b'{"text": "' + b"x" * 2_000 + b'"}')

    assert (answer.status_code, error_of(answer)["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/nothing", 404, "no_such_page"),
        ("/api/", 404, "no_such_page"),
        ("/api/v1/%00", 404, "no_such_page"),
        ("/api/v1/%ff%fe", 404, "no_such_page"),
        ("/api/v1/" + "x" * 5_000, 404, "no_such_page"),
        ("/api/v1/suspicious", 400, "bad_request"),
        ("/api/v1/broken", 500, "internal_error"),
        ("/api/v1/plain-broken", 500, "internal_error"),
        ("/api/v1/echo", 405, "method_not_allowed"),
        ("/api/v1/list?limit=0", 422, "malformed_request"),
        ("/api/v1/list?limit=101", 422, "malformed_request"),
        ("/api/v1/list?limit=%00", 422, "malformed_request"),
        ("/api/v1/list?limit=%ff", 422, "malformed_request"),
        ("/api/v1/list?cursor=%00", 422, "malformed_request"),
        ("/api/v1/list?cursor=%E4%B8%AD", 422, "malformed_request"),
        ("/api/v1/list?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjAw", 422, "malformed_request"),
        ("/api/v1/list?colour=red", 422, "unknown_parameter"),
    ],
    ids=str,
)
def test_every_refusal_below_api_has_the_one_shape(api: Client, path: str, status: int, code: str) -> None:
    answer = api.get(path)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert "a secret inside" not in answer.content.decode()


def test_a_foreign_host_name_is_refused_in_the_same_shape(api: Client) -> None:
    answer = api.get("/api/v1/echo", headers={"Host": "evil.example"})

    assert (answer.status_code, error_of(answer)["code"]) == (400, "bad_request")


def test_outside_the_api_a_page_answers(api: Client) -> None:
    for path, status in (("/nothing", 404), ("/broken", 500)):
        answer = api.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")


def test_an_accept_header_without_json_is_406_in_json(api: Client) -> None:
    answer = post(api, "echo", b"{}", headers={"Accept": "application/xml"})

    assert (answer.status_code, error_of(answer)["code"]) == (406, "not_acceptable")


def test_a_database_that_is_away_is_503_and_says_when_to_come_back(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("connection refused by secret-host")

    monkeypatch.setattr("tests.kernel.probe_urls.page_of", away)
    answer = api.get("/api/v1/list")

    assert (answer.status_code, error_of(answer)["code"]) == (503, "database_unavailable")
    assert answer["Retry-After"] == "1"
    assert b"secret-host" not in answer.content


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr", "zh"),
        ("fr,en;q=0.5", "en"),
        (";;,,\x00", "zh"),
    ],
)
def test_people_are_answered_in_their_language(api: Client, accept: str, language: str) -> None:
    assert language_of(accept) == language
    answer = api.get("/api/v1/nothing", headers={"Accept-Language": accept})

    sentence = {"zh": "没有这个地址", "en": "There is nothing at this address."}[language]
    assert error_of(answer)["message"] == sentence


def test_what_a_field_wants_is_said_in_the_callers_language(api: Client) -> None:
    def said(language: str) -> str:
        answer = post(api, "echo", b'{"number": "x"}', headers={"Accept-Language": language})
        return str(error_of(answer)["details"]["fields"]["number"])

    assert "A valid integer is required" in said("en")
    assert "A valid integer is required" not in said("zh")


@pytest.mark.parametrize("given", ["", "7", "not-a-uuid", "x" * 5_000, "é", "0198c1d2-e3f4-7a5b-8c6d-7e8f90a1b2c"])
def test_an_idempotency_key_is_a_uuid(api: Client, given: str) -> None:
    answer = post(api, "key", b"{}", headers={"Idempotency-Key": given})

    error = error_of(answer)
    assert (error["code"], error["param"]) == ("idempotency_key_required", "Idempotency-Key")


def test_the_idempotency_key_arrives(api: Client) -> None:
    key = str(uuid4())

    assert post(api, "key", b"{}", headers={"Idempotency-Key": key}).json() == {"key": key}


KINDS: list[tuple[Caller | None, set[str]]] = [
    (None, set()),
    (Caller(kind=CallerKind.STAFF, id=uuid4()), {"any", "staff"}),
    (Caller(kind=CallerKind.CUSTOMER, id=uuid4(), brand_id=uuid4()), {"any", "customer"}),
    (Caller(kind=CallerKind.API_CLIENT, id=uuid4(), brand_id=uuid4(), scopes=frozenset({"reports"})), {"any"}),
    (
        Caller(kind=CallerKind.API_CLIENT, id=uuid4(), brand_id=uuid4(), scopes=frozenset({"webhooks"})),
        {"any", "program"},
    ),
]


@pytest.mark.parametrize(("caller", "welcome"), KINDS, ids=["nobody", "staff", "customer", "reports", "webhooks"])
def test_each_way_in_takes_its_own_callers_only(api: Client, caller: Caller | None, welcome: set[str]) -> None:
    for kind in ("any", "staff", "customer", "program"):
        answer = api.get(f"/api/v1/who/{kind}", **{"test.caller": caller})
        if kind in welcome:
            assert answer.json() == {"kind": caller and caller.kind}
        else:
            assert error_of(answer)["code"] == ("not_allowed" if caller else "not_signed_in")
            assert answer.has_header("WWW-Authenticate") is (caller is None)


def entries(count: int, *, apart: timedelta) -> list[str]:
    made = [
        AuditEntry.objects.create(at=NOW + number * apart, actor_kind="machine", act=f"act{number}", subject_kind="s")
        for number in range(count)
    ]
    return [entry.act for entry in made]


def pages(api: Client, *, limit: int, between: Callable[[], None] = lambda: None) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        body = api.get("/api/v1/list", {"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
        found.append(body["items"])
        cursor = body["next"]
        if cursor is None:
            return found
        between()


@pytest.mark.parametrize("apart", [timedelta(microseconds=1), timedelta(0)], ids=["each its moment", "one moment"])
def test_pages_show_every_row_once_newest_first(api: Client, apart: timedelta) -> None:
    acts = entries(7, apart=apart)

    found = pages(api, limit=3)

    assert [len(page) for page in found] == [3, 3, 1]
    assert [act for page in found for act in page] == acts[::-1]


def test_the_last_full_page_has_no_next(api: Client) -> None:
    entries(6, apart=timedelta(seconds=1))

    assert [len(page) for page in pages(api, limit=3)] == [3, 3]


def test_rows_that_arrive_between_pages_repeat_and_hide_nothing(api: Client) -> None:
    acts = entries(6, apart=timedelta(seconds=1))

    def arrives() -> None:
        AuditEntry.objects.create(at=NOW + timedelta(days=1), actor_kind="machine", act="late", subject_kind="s")

    found = [act for page in pages(api, limit=2, between=arrives) for act in page]

    assert found == acts[::-1]


def test_answers_forbid_inline_script_and_framing(api: Client) -> None:
    for path in ("/api/v1/list", "/api/v1/nothing", "/nothing"):
        answer = api.get(path)
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": 1}, "text"),
        ({"whole": "1"}, "whole"),
        ({"whole": True}, "whole"),
        ({"is_so": "yes"}, "is_so"),
        ({"is_so": 1}, "is_so"),
        ({"key": 5}, "key"),
        ({"texts": ["a", 1]}, "texts"),
    ],
)
def test_a_body_is_of_the_json_types_that_are_described(body: dict[str, Any], field: str) -> None:
    class Described(StrictSerializer):
        text = serializers.CharField(required=False)
        whole = serializers.IntegerField(required=False)
        is_so = serializers.BooleanField(required=False)
        key = serializers.UUIDField(required=False)
        texts = serializers.ListField(child=serializers.CharField(), required=False)

    described = Described(data=body, context={"is_json": True})

    assert not described.is_valid()
    assert set(described.errors) == {field}
    assert Described(data={"text": "1", "whole": 1, "is_so": True, "texts": []}, context={"is_json": True}).is_valid()
