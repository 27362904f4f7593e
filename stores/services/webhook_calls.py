"""
One HTTP call to an address that a brand has chosen, so an address of the outside and nowhere else.

The guard sits where the connection is made: the name is resolved once, every address it has must be
public, and the connection goes to one of those very addresses, so a name that answers differently the
second time (DNS rebinding) changes nothing. Nothing is redirected, no proxy is asked, and ten seconds
are ten seconds in all, however slowly the other side drips.
"""

import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import httpcore
from django.conf import settings

from stores.errors import WebhookUrlRefused

SECONDS = 10.0
ANSWER_AT_MOST_BYTES = 64 * 1024
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Call:
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """``status_code`` of the answer, or why there was none."""

    status_code: int | None
    error: str

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


class AddressRefused(Exception):
    """The name leads to an address that is not public."""


def check_url(url: str) -> None:
    """
    Refuse what could never be delivered to; where a name leads is asked again at every call.

    Raises:
        WebhookUrlRefused: another scheme, a password in it, a private address written out.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise WebhookUrlRefused(param="url", reason="not a URL") from None
    if parts.scheme != "https" and (parts.scheme != "http" or settings.IS_PRODUCTION):
        raise WebhookUrlRefused(param="url", reason="https only")
    if not host or not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        raise WebhookUrlRefused(param="url", reason="not a URL")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise WebhookUrlRefused(param="url", reason="it carries a user name, a password or a fragment")
    try:
        address = ip_address(host)
    except ValueError:
        return
    if not is_allowed(address):
        raise WebhookUrlRefused(param="url", reason="not a public address")


def post(call: Call) -> Outcome:
    """Send once. Whatever happens out there is an outcome, never an exception."""
    network = GuardedNetwork(deadline=time.monotonic() + SECONDS)
    headers = [*call.headers.items(), ("connection", "close")]
    try:
        check_url(call.url)
        with (
            httpcore.ConnectionPool(ssl_context=_ssl_context(), max_connections=1, network_backend=network) as pool,
            pool.stream("POST", call.url, headers=headers, content=call.body) as answer,
        ):
            read = 0
            for chunk in answer.iter_stream():
                read += len(chunk)
                if read > ANSWER_AT_MOST_BYTES:
                    return Outcome(status_code=None, error=f"answered more than {ANSWER_AT_MOST_BYTES} bytes")
            return Outcome(status_code=answer.status, error="")
    except WebhookUrlRefused as refusal:
        return Outcome(status_code=None, error=refusal.message("en"))
    except AddressRefused as refusal:
        return Outcome(status_code=None, error=str(refusal)[:256])
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError, UnicodeError) as error:
        return Outcome(status_code=None, error=f"{type(error).__name__}: {error}"[:256])


def is_allowed(address: IPv4Address | IPv6Address) -> bool:
    """Whether a call may go to ``address``: public ones, and this machine where the settings allow it."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_allowed(inner)
        if address.is_site_local:
            return False
    if address.is_loopback:
        return bool(settings.WEBHOOKS_TO_LOOPBACK)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class GuardedNetwork(httpcore.SyncBackend):
    """httpcore's own network, but for which addresses it connects to and until when."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if not is_allowed(ip_address(address.partition("%")[0])):
                raise AddressRefused(f"{host} leads to {address}, which is not a public address")
        problem: Exception | None = None
        for address in addresses:
            try:
                stream = super().connect_tcp(address, port, left(self._deadline), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return DeadlineStream(stream, self._deadline)
        raise problem or httpcore.ConnectError(f"{host} has no address")


class DeadlineStream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline; httpcore's timeouts begin anew with each read."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, left(self._deadline))
        return DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def left(deadline: float) -> float:
    """Seconds until ``deadline``; past it, what httpcore raises for a read that took too long."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout(f"no answer within {SECONDS:.0f} s")
    return seconds


@cache
def _ssl_context() -> ssl.SSLContext:
    return ssl.create_default_context()
