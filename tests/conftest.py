"""Fixtures that every test may name."""

from pathlib import Path

import pytest

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
