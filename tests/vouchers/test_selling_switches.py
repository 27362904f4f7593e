"""Switches are one row per scope, thrown at once, each throw with its trail."""

from datetime import timedelta
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from tests.factories import NOW
from vouchers.models import SellingSwitch
from vouchers.services import selling_switches

pytestmark = pytest.mark.django_db

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
WHERE = {"scope": SellingSwitch.Scope.BRAND, "scope_id": uuid4(), "brand_id": uuid4()}


def test_stopping_twice_keeps_the_first_moment_and_letting_go_clears_it() -> None:
    stopped = selling_switches.stop(**WHERE, reason="价格错了", by=BY, at=NOW)
    again = selling_switches.stop(**WHERE, reason="还在查", by=BY, at=NOW + timedelta(minutes=1))

    assert (stopped.stopped_at, again.stopped_at, again.reason) == (NOW, NOW, "还在查")

    resumed = selling_switches.resume(**WHERE, by=BY, at=NOW)

    assert (resumed.stopped_at, resumed.reason) == (None, "")
    assert SellingSwitch.objects.count() == 1
    acts = list(AuditEntry.objects.order_by("id").values_list("act", flat=True))
    assert acts == ["selling.stopped", "selling.stopped", "selling.resumed"]


def test_repeating_a_throw_leaves_no_second_trail() -> None:
    for _ in range(2):
        selling_switches.stop(**WHERE, reason="x", by=BY, at=NOW)
    for _ in range(2):
        selling_switches.resume(**WHERE, by=BY, at=NOW)

    assert AuditEntry.objects.count() == 2
