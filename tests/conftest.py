"""Fixtures that every test may name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from tests.databases import forget_rows, migrated_template

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
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    described = connections["default"].settings_dict
    # A request's 15 s are not for creating and dropping a whole database on a busy machine.
    described["OPTIONS"]["options"] = "-c statement_timeout=120s"
    with django_db_blocker.unblock():
        described["TEST"]["TEMPLATE"] = migrated_template()
    described["TEST"]["MIGRATE"] = False  # the copy has them all


@pytest.fixture(scope="session", autouse=True)
def _quick_end_of_a_test_that_commits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: forget_rows())
        yield
