"""Fixtures of the tests of orders."""

import pytest

from orders.providers import registry
from tests.orders.fake_provider import FakeProvider


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """The sandbox without its network, in place of the real one."""
    fake = FakeProvider()
    monkeypatch.setattr(registry, "by_name", lambda name: fake)
    return fake
