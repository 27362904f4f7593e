"""Fixtures that every test may name."""

from pathlib import Path

import pytest
from django.db import connections

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The real data beside the repository; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data not found at {SHARED_DATA}: this test runs on data the repository may not contain")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _no_nudges(settings: object) -> None:
    """Tests run the sweepers themselves; nothing is sent to a broker."""
    settings.NUDGES_ARE_SENT = False  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A request's 15 s are not for creating and dropping a whole database on a busy machine."""
    connections["default"].settings_dict["OPTIONS"]["options"] = "-c statement_timeout=120s"
