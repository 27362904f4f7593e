"""Calls to addresses that a brand has chosen: which are refused, and what the others can do to us."""

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any

import pytest
from pytest_django import Settings

from stores.errors import WebhookUrlRefused
from stores.services import webhook_calls
from stores.services.webhook_calls import Call, Outcome
from tests.stores.receiver import Receiver, receiver, says


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings: Settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


def post(url: str, body: bytes = b"{}") -> Outcome:
    return webhook_calls.post(Call(url=url, headers={"content-type": "application/json"}, body=body))


def test_a_call_arrives(told: Receiver) -> None:
    outcome = post(told.url, b'{"a": 1}')

    assert outcome == Outcome(status_code=204, error="")
    assert [(heard.path, heard.body) for heard in told.heard] == [("/hook", b'{"a": 1}')]
    assert told.heard[0].headers["host"] == f"127.0.0.1:{told.port}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",  # noqa: S104 - refused, not bound
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a00:1::",
    ],
)
def test_private_addresses_are_refused(address: str, settings: Settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = False

    assert not webhook_calls.is_allowed(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "223.5.5.5", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert webhook_calls.is_allowed(ip_address(address))


def test_the_allowance_is_for_loopback_alone() -> None:
    assert webhook_calls.is_allowed(ip_address("127.0.0.1"))
    assert webhook_calls.is_allowed(ip_address("::1"))
    for address in ("10.0.0.1", "169.254.169.254", "192.168.1.1", "::ffff:10.0.0.1", "fe80::1"):
        assert not webhook_calls.is_allowed(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com/",
        "example.com",
        "https://",
        "https:///path",
        "https://user:secret@example.com/",
        "https://example.com/#fragment",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nX-Header: 1",
        "https://例え.jp/",
        "https://[::1",
        "https://10.0.0.1/",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest/meta-data/",
        "",
        "\x00",
    ],
)
def test_addresses_that_can_never_be_sent_to_are_refused_at_once(url: str) -> None:
    with pytest.raises(WebhookUrlRefused):
        webhook_calls.check_url(url)


def test_production_sends_under_https_only(settings: Settings) -> None:
    webhook_calls.check_url("http://example.com/hook")
    settings.IS_PRODUCTION = True

    webhook_calls.check_url("https://example.com/hook")
    with pytest.raises(WebhookUrlRefused):
        webhook_calls.check_url("http://example.com/hook")


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "017700000001", "[::ffff:7f00:1]"])
def test_no_spelling_of_loopback_gets_through(host: str, told: Receiver, settings: Settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = False

    outcome = post(f"http://{host}:{told.port}/hook")

    assert outcome.status_code is None
    assert "not a public address" in outcome.error
    assert told.heard == []


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to each of ``answers`` in turn, as a hostile name server may."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *given: Any, **options: Any) -> list[Any]:
        if host[0].isdigit():
            return really(host, port, *given, **options)
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_inside_is_refused(
    told: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = False
    resolving(monkeypatch, ["127.0.0.1"])

    outcome = post(f"http://hooks.example.com:{told.port}/hook")

    assert outcome.error == "hooks.example.com leads to 127.0.0.1, which is not a public address"
    assert told.heard == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1", "10.0.0.7"])

    assert "10.0.0.7" in post(f"http://hooks.example.com:{told.port}/hook").error
    assert told.heard == []


def test_a_name_is_asked_once_and_the_call_goes_to_the_address_that_was_checked(
    told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])

    outcome = post(f"http://hooks.example.com:{told.port}/hook")

    assert outcome.status_code == 204
    assert asked == ["hooks.example.com"]
    assert told.heard[0].headers["host"] == f"hooks.example.com:{told.port}"


def test_a_redirect_is_an_answer_and_is_not_followed(told: Receiver) -> None:
    told.answer = lambda handler: says(handler, 307, Location=f"http://127.0.0.1:{told.port}/elsewhere")

    outcome = post(told.url)

    assert (outcome.status_code, outcome.is_success) == (307, False)
    assert [heard.path for heard in told.heard] == ["/hook"]


def test_an_endless_answer_is_cut_off(told: Receiver) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65_536)

    told.answer = endless

    assert post(told.url) == Outcome(status_code=None, error="answered more than 65536 bytes")


def drips_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drips_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-A: b\r\n")
        time.sleep(0.05)


def says_nothing(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read()  # until the caller has gone


@pytest.mark.parametrize("answer", [drips_body, drips_headers, says_nothing])
def test_ten_seconds_are_ten_seconds_however_slowly_it_answers(
    answer: Any, told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_calls, "SECONDS", 0.5)
    told.answer = answer

    outcome = post(told.url)  # none of them ever ends by itself

    assert outcome.status_code is None
    assert "Timeout" in outcome.error


def test_nobody_there_is_an_outcome() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]  # taken, so that nobody else listens there meanwhile

        assert "ConnectError" in post(f"http://127.0.0.1:{port}/").error


def test_something_that_is_not_http_is_an_outcome(told: Receiver) -> None:
    told.answer = lambda handler: handler.wfile.write(b"\x00\x01\x02 not http at all\r\n\r\n") and None

    assert "ProtocolError" in post(told.url).error


def test_a_name_that_does_not_resolve_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)

    assert "Name or service not known" in post("https://nowhere.example/").error


def test_https_to_a_server_without_a_trusted_certificate_fails(told: Receiver) -> None:
    outcome = post(told.url.replace("http://", "https://"))

    assert outcome.status_code is None
    assert "SSL" in outcome.error or "EOF" in outcome.error
    assert told.heard == []
