"""The rehearsal's clock: one file, the same time for every process that reads it."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from config.kernel.rehearsal_clock import RehearsalClock, follow, wind_back

A_MINUTE = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC)


def test_everybody_who_reads_the_file_lives_then(tmp_path: Path) -> None:
    then = now() - timedelta(days=8)
    winder = wind_back(tmp_path / "clock", to=then)
    reader = RehearsalClock(tmp_path / "clock")

    assert then <= reader.now() < now() - timedelta(days=7)

    winder.go_to(then + timedelta(days=3))

    assert then + timedelta(days=3) <= reader.now() < now() - timedelta(days=4)


def test_it_comes_to_the_present_and_not_beyond(tmp_path: Path) -> None:
    clock = wind_back(tmp_path / "clock", to=now() - A_MINUTE)

    clock.go_to(now() + timedelta(days=1))

    assert clock.now() <= now()


def test_time_does_not_go_back(tmp_path: Path) -> None:
    clock = wind_back(tmp_path / "clock", to=now() - A_MINUTE)

    with pytest.raises(AssertionError):
        clock.go_to(clock.now() - A_MINUTE)


def test_edges_read_the_clock_that_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", timezone.now)  # noqa: TID251 - given back afterwards
    wind_back(tmp_path / "clock", to=now() - timedelta(days=8))

    follow(tmp_path / "clock")

    assert timezone.now() < now() - timedelta(days=7)  # noqa: TID251 - as an edge does


def test_production_refuses_it(tmp_path: Path) -> None:
    wind_back(tmp_path / "clock", to=now() - A_MINUTE)
    environment = {
        **os.environ,
        "HEXIAO_ENV": "production",
        "HEXIAO_SECRETS_FILE": str(settings.SECRETS_FILE),
        "HEXIAO_HOSTS": "api.example.com",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
        "REDIS_URL": "redis://127.0.0.1/0",
        "HEXIAO_REHEARSAL_CLOCK": str(tmp_path / "clock"),
    }

    said = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env=environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 1
    assert "HEXIAO_REHEARSAL_CLOCK" in said.stderr
