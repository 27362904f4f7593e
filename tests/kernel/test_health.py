"""A probe is told whether the process lives and works, whoever asks and however."""

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

PROBES = ["/health/live", "/health/ready"]


@pytest.mark.django_db
@pytest.mark.parametrize("address", PROBES)
def test_a_working_site_says_so_under_any_name_and_without_tls(address: str, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = Client(headers={"host": "10.0.0.7:8001"}).get(address)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_without_postgresql_it_lives_and_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", away)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction goes on

    live, ready = (Client().get(address) for address in PROBES)

    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json() == {"status": "database_unreachable"}


def test_only_a_look_is_a_probe() -> None:
    assert Client().post("/health/live").status_code == 404
