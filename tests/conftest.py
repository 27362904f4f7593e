"""Fixtures that every test may name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as site
from django.db import connections
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from config.kernel import group_commit
from tests.databases import forget_rows, migrated_template
from tests.patience import LIMIT_SECONDS

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


@pytest.fixture(scope="session", autouse=True)
def _patient_and_quick() -> Iterator[None]:
    """
    What a person or a program is not left waiting for may take its time on a slow machine; a test that is about
    the limit sets it. And what shall take long, a password's hash, takes none.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "REDIS_SOCKET_SECONDS", LIMIT_SECONDS)
        patch.setattr(site, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"])
        patch.setattr(group_commit, "WAIT_AT_MOST_SECONDS", LIMIT_SECONDS)
        patch.setattr(group_commit, "OWN_CONNECTION", re.sub(r"= '\ds'", "= '2min'", group_commit.OWN_CONNECTION))
        yield


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
