"""Fixtures of the vouchers tests."""

import pytest

from tests.vouchers import counters
from tests.vouchers.counters import Counter


@pytest.fixture
def counter(db: None) -> Counter:
    return counters.counter()
