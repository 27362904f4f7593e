"""Two copies of one bill at once, and a day that is closed while another bill of it comes in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError

from orders.errors import DayIsClosed
from orders.models import BillDifference, BillFile, DayClose
from orders.services import bills, day_closing
from stores.services.list_staging import Staging
from tests.orders import billed
from tests.orders.billed import BY, DAY, NEXT_DAY, NOON_AFTER, Till
from tests.orders.fake_provider import FakeProvider
from tests.races.at_once import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def till(provider: FakeProvider) -> Till:
    till = billed.till(provider)
    till.sell(3)
    return till


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    return FakeProvider()


@contextmanager
def staged_together(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both have read their file before either looks at what was taken."""
    staged, fill = threading.Barrier(2), Staging.fill

    def together(self: Staging[Any], rows: Any, **progress: Any) -> None:
        fill(self, rows, **progress)
        staged.wait(timeout=60)

    with monkeypatch.context() as patch:
        patch.setattr(Staging, "fill", together)
        yield


def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock, and both look before either writes."""
    looked = threading.Barrier(2)
    monkeypatch.setattr(bills, "lock", lambda **_: None)
    monkeypatch.setattr(bills, "new_id", lambda new=bills.new_id: (looked.wait(60), new())[1])


def test_the_second_copy_finds_the_first(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    file = till.file(missing=1.0)

    with staged_together(monkeypatch):
        answers = at_once(lambda: till.take(file=file), lambda: till.take(file=file))

    assert sorted(answer.is_repeat for answer in answers) == [False, True]
    assert {answer.bill.pk for answer in answers} == {BillFile.objects.get().pk}
    assert BillDifference.objects.count() == 3


def test_without_the_lock_one_copy_breaks(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control; that no difference is there twice even so is the unique bill's merit."""
    file = till.file(missing=1.0)
    without_lock(monkeypatch)

    answers = at_once(lambda: till.take(file=file), lambda: till.take(file=file))

    assert [isinstance(answer, IntegrityError) for answer in answers].count(True) == 1
    assert BillDifference.objects.count() == 3


def test_two_days_at_once_explain_each_other(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {day: till.file(day, late=1.0) for day in (DAY, NEXT_DAY)}

    with staged_together(monkeypatch):
        at_once(*(lambda day=day: till.take(day, file=files[day]) for day in files))

    assert set(BillDifference.objects.values_list("kind", "outcome")) == {
        ("late", "other_day"),
        ("missing_there", "other_day"),
    }


def test_without_the_lock_neither_day_sees_the_other(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: both pair before either has committed."""
    files = {day: till.file(day, late=1.0) for day in (DAY, NEXT_DAY)}
    paired, tell = threading.Barrier(2), bills._tell
    monkeypatch.setattr(bills, "lock", lambda **_: None)
    monkeypatch.setattr(bills, "_tell", lambda *args, **fields: (paired.wait(60), tell(*args, **fields)))

    at_once(*(lambda day=day: till.take(day, file=files[day]) for day in files))

    assert set(BillDifference.objects.values_list("kind", "outcome")) == {("late", None), ("missing_there", None)}


def close(till: Till) -> DayClose:
    return day_closing.close(brand_id=till.brand.id, provider="sandbox", day=DAY, by=BY, at=NOON_AFTER).row


def test_a_closed_day_takes_no_bill_and_a_superseded_bill_closes_no_day(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = till.take().bill
    corrected = till.file(extra=1.0)

    taken, closed = at_once(lambda: till.take(file=corrected), lambda: close(till))

    if isinstance(taken, DayIsClosed):
        assert closed.bill == first
    else:
        assert closed.code == "day_not_explained"
        assert not DayClose.objects.exists()


def test_without_the_lock_a_day_is_closed_over_a_bill_that_is_superseded(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the bill is compared, the day is closed, and only then the bill commits."""
    till.take()
    compared, closed, tell = threading.Event(), threading.Event(), bills._tell
    monkeypatch.setattr(bills, "lock", lambda **_: None)
    monkeypatch.setattr(
        bills, "_tell", lambda *args, **fields: (compared.set(), closed.wait(60), tell(*args, **fields))
    )

    def close_between() -> DayClose:
        compared.wait(60)
        try:
            return close(till)
        finally:
            closed.set()

    at_once(lambda: till.take(file=till.file(extra=1.0)), close_between)

    assert DayClose.objects.get().bill.superseded_at is not None
