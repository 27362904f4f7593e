"""A provider's bill against our books: every difference named, explained by people or by another day's bill."""

import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.models import AuditEntry
from orders.errors import (
    BillColumnsMissing,
    BillCurrencyWrong,
    BillEmpty,
    BillIncomplete,
    BillRefused,
    BillTotalsWrong,
    DayIsClosed,
    DayNotExplained,
    DifferenceClosed,
    DifferenceNotBookable,
    DifferenceNotFound,
)
from orders.models import BillDifference, BillFile, DayClose, Purchase, Refund
from orders.services import bill_differences, bill_fetching, day_closing, notices
from tests import factories
from tests.factories import NOW
from tests.orders import billed
from tests.orders.billed import BY, DAY, NEXT_DAY, NOON_AFTER, Till, counts, found
from tests.orders.fake_provider import FakeProvider

# Committed for real: providers are asked outside any transaction.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(provider: FakeProvider) -> Till:
    return billed.till(provider)


def explain(difference: BillDifference, reason: str = "问过了", **fields: Any) -> BillDifference:
    given = {
        "brand_id": difference.brand_id,
        "difference_id": difference.id,
        "reason": reason,
        "by": BY,
        "at": NOON_AFTER,
    }
    return bill_differences.explain(**{**given, **fields})


def close(till: Till, day: Any = DAY) -> DayClose:
    return day_closing.close(brand_id=till.brand.id, provider="sandbox", day=day, by=BY, at=NOON_AFTER).row


class TestTheSame:
    def test_a_bill_that_agrees_differs_in_nothing(self, till: Till) -> None:
        till.sell(3)

        taken = till.take()

        assert (taken.found, taken.is_repeat) == ({}, False)
        assert counts(taken.bill) == (3, 3, 0, 3)

    def test_a_second_capture_and_its_refund_agree(self, till: Till) -> None:
        (paid,) = till.sell()
        till.pay(paid, again=True)
        till.refund()

        taken = till.take()

        assert taken.found == {}
        assert counts(taken.bill) == (3, 3, 0, 3)
        assert (taken.bill.captured_fen, taken.bill.refunded_fen, taken.bill.fee_fen) == (1_980, 990, 6)

    def test_a_first_capture_of_another_amount_agrees_with_its_refund(self, till: Till) -> None:
        till.pay(billed.buy(till.offer), amount_fen=5)
        till.refund()

        taken = till.take()

        assert taken.found == {}
        assert counts(taken.bill) == (2, 2, 0, 2)

    def test_another_brand_s_money_at_the_same_merchant_is_left_alone(self, till: Till) -> None:
        other = billed.till(till.provider)
        till.sell(2)
        other.sell(3)
        (twice,) = other.sell()
        other.pay(twice, again=True)
        other.refund()

        assert till.take().found == {} == other.take().found
        assert counts(till.take().bill) == (8, 2, 6, 2)

    def test_a_capture_in_another_currency_is_on_another_bill(self, till: Till) -> None:
        till.pay(billed.buy(till.offer), currency="USD")
        till.refund()

        taken = till.take()

        assert counts(taken.bill) == (0, 0, 0, 0)
        assert taken.found == {}


class TestDiffering:
    def test_a_lost_notice_of_a_second_capture_is_found_and_goes_back(self, till: Till) -> None:
        (paid,) = till.sell()
        till.pay(paid, again=True, told=False)

        bill = till.take().bill

        (difference,) = BillDifference.objects.filter(bill=bill)
        assert (difference.kind, difference.reference, difference.theirs_fen) == ("missing_here", paid.public_id, 990)
        assert AuditEntry.objects.get(act="alarm.bill_differs").details["references"] == [paid.public_id]
        bill_differences.book(brand_id=till.brand.id, difference_id=difference.id, reason="补记", by=BY, at=NOON_AFTER)
        notices.apply_notices(limit=10, at=NOON_AFTER)
        assert Refund.objects.get().source_kind == "unwanted_capture"
        assert close(till).difference_count == 1

    def test_a_lost_first_notice_is_booked_and_pays_its_purchase(self, till: Till) -> None:
        (payment,) = till.sell(told=False)
        till.take()
        (difference,) = BillDifference.objects.all()

        for _ in range(2):
            booked = bill_differences.book(
                brand_id=till.brand.id, difference_id=difference.id, reason="补记", by=BY, at=NOON_AFTER
            )
        notices.apply_notices(limit=10, at=NOON_AFTER)
        billed.tell(till.provider.told[-1], at=NOON_AFTER)  # the notice comes after all

        assert booked.outcome == "booked"
        assert Purchase.objects.get(pk=payment.purchase_id).status == "paid"
        assert not Refund.objects.exists()
        assert AuditEntry.objects.filter(act="difference.booked").count() == 1

    def test_a_refund_whose_success_got_lost_is_booked(self, till: Till) -> None:
        (paid,) = till.sell()
        till.pay(paid, again=True)
        refund = till.refund(told=False)
        till.take()
        (difference,) = BillDifference.objects.filter(is_refund=True)

        bill_differences.book(brand_id=till.brand.id, difference_id=difference.id, reason="补记", by=BY, at=NOON_AFTER)
        notices.apply_notices(limit=10, at=NOON_AFTER)

        refund.refresh_from_db()
        assert (difference.kind, difference.reference, refund.status) == (
            "missing_here",
            refund.public_id,
            "succeeded",
        )

    def test_what_the_bill_lacks_is_missing_there(self, till: Till) -> None:
        payments = till.sell(3)

        taken = till.take(missing=1.0)

        assert taken.found == {"missing_there": 3}
        assert counts(taken.bill) == (0, 0, 0, 3)
        assert {(d.reference, d.ours_fen, d.ours_date, d.line) for d in BillDifference.objects.all()} == {
            (payment.public_id, 990, DAY, None) for payment in payments
        }

    def test_another_amount_carries_both(self, till: Till) -> None:
        (payment,) = till.sell()

        till.take(amount=1.0)

        (difference,) = BillDifference.objects.all()
        assert (difference.kind, difference.reference, difference.ours_fen, difference.theirs_fen, difference.line) == (
            "amount",
            payment.public_id,
            990,
            1_090,
            2,
        )

    def test_an_invented_line_is_missing_here_and_a_second_print_a_duplicate(self, till: Till) -> None:
        till.sell(2)

        taken = till.take(extra=1.0, duplicate=1.0)

        assert taken.found == {"duplicate": 2, "missing_here": 2}
        assert counts(taken.bill) == (6, 2, 0, 2)

    def test_of_every_fault_at_once_every_line_is_accounted_for(self, till: Till) -> None:
        till.sell(40)
        faults = dict.fromkeys(("missing", "extra", "amount", "late", "duplicate"), 0.3) | {"seed": 7}

        days = [till.take(DAY, **faults), till.take(NEXT_DAY, at=NOON_AFTER + timedelta(days=1), **faults)]

        for taken in days:
            bill = taken.bill
            differences = BillDifference.objects.filter(bill=bill)
            with_line = differences.filter(line__isnull=False).count()
            ours = differences.filter(ours_date=bill.bill_date, kind__in=["amount", "missing_there"]).count()
            assert bill.line_count == bill.matched_count + bill.others_count + with_line
            assert bill.known_count == bill.matched_count + ours
        assert set(days[0].found) == {"amount", "duplicate", "missing_here", "missing_there"}
        assert days[1].found["late"] > 0


class TestLate:
    def test_what_the_next_day_brings_closes_itself_on_both_days(self, till: Till) -> None:
        till.sell(2)
        first = till.take(late=1.0).bill
        assert BillDifference.objects.filter(closed_at__isnull=True, kind="missing_there").count() == 2

        second = till.take(NEXT_DAY, late=1.0).bill

        assert [kind for kind, _ in found(second)] == ["late", "late"]
        explained = BillDifference.objects.values_list("kind", "outcome", "explained_by", "closed_by_id")
        assert set(explained) == {
            ("missing_there", "other_day", second.pk, None),
            ("late", "other_day", first.pk, None),
        }
        assert [close(till, day).difference_count for day in (DAY, NEXT_DAY)] == [2, 2]

    def test_the_two_days_may_come_in_the_other_order(self, till: Till) -> None:
        till.sell()
        till.take(NEXT_DAY, late=1.0)
        assert BillDifference.objects.get().outcome is None

        till.take(late=1.0)

        assert set(BillDifference.objects.values_list("kind", "outcome")) == {
            ("late", "other_day"),
            ("missing_there", "other_day"),
        }

    def test_a_line_of_a_day_whose_bill_had_it_already_is_a_duplicate(self, till: Till) -> None:
        till.sell()
        till.take()

        assert till.take(NEXT_DAY, late=1.0).found == {"duplicate": 1}

    def test_what_came_late_twice_is_a_duplicate_the_second_time(self, till: Till) -> None:
        till.sell()
        till.take(late=1.0)
        late = till.file(NEXT_DAY, late=1.0)
        till.take(NEXT_DAY, file=late)

        assert till.take(NEXT_DAY + timedelta(days=1), file=late).found == {"duplicate": 1}


class TestTwice:
    def test_the_same_bytes_answer_with_the_first(self, till: Till) -> None:
        till.sell()

        first, again = till.take(extra=1.0), till.take(extra=1.0, at=NOON_AFTER + timedelta(hours=1))

        assert (again.bill.pk, again.found, again.is_repeat) == (first.bill.pk, first.found, True)
        assert BillDifference.objects.count() == 1
        assert AuditEntry.objects.filter(act="bill.taken").count() == 1

    def test_a_corrected_bill_supersedes_the_one_before(self, till: Till) -> None:
        till.sell()
        first = till.take(extra=1.0).bill

        second = till.take().bill

        first.refresh_from_db()
        assert first.superseded_at == NOON_AFTER
        assert BillDifference.objects.get().outcome == "superseded"
        assert close(till).bill == second

    def test_what_a_superseded_bill_had_brought_for_another_day_is_missing_again(self, till: Till) -> None:
        (payment,) = till.sell()
        till.take(late=1.0)
        till.take(NEXT_DAY, late=1.0)
        close(till)

        again = till.take(NEXT_DAY, missing=1.0).bill

        assert found(again) == [("missing_there", payment.public_id)]
        assert BillDifference.objects.get(bill=again).ours_date == DAY
        with pytest.raises(DayNotExplained):
            close(till, NEXT_DAY)

    def test_a_correction_that_still_brings_it_explains_it_again(self, till: Till) -> None:
        till.sell()
        till.take(late=1.0)
        till.take(NEXT_DAY, late=1.0)
        till.sell(at=NOON_AFTER)

        again = till.take(NEXT_DAY, late=1.0, at=NOON_AFTER + timedelta(days=1)).bill

        assert BillDifference.objects.get(bill=again, kind="late").outcome == "other_day"


class TestClosing:
    def test_a_day_closes_when_everything_is_explained_and_is_final(self, till: Till) -> None:
        till.sell()
        till.take(amount=1.0)
        with pytest.raises(DayNotExplained) as refused:
            close(till)
        assert refused.value.details["open"] == 1
        explain(BillDifference.objects.get(), "手续费另计")

        closed = close(till)

        assert (closed.captured_fen, closed.difference_count, close(till).pk) == (1_090, 1, closed.pk)
        assert AuditEntry.objects.filter(act="day.closed").count() == 1
        with pytest.raises(DayIsClosed):
            till.take(extra=1.0)
        assert till.take(amount=1.0).is_repeat

    def test_a_difference_is_worked_off_once(self, till: Till) -> None:
        till.sell()
        till.take(extra=1.0)
        difference = BillDifference.objects.get()

        assert explain(difference).closed_at == explain(difference, at=NOON_AFTER + timedelta(hours=1)).closed_at
        with pytest.raises(DifferenceClosed):
            explain(difference, "又想了想")
        with pytest.raises(DifferenceNotFound):
            explain(difference, brand_id=factories.brand().id)

    @pytest.mark.parametrize("faults", [{"missing": 1.0}, {"amount": 1.0}])
    def test_only_money_we_were_not_told_of_is_booked(self, till: Till, faults: Any) -> None:
        till.sell()
        till.take(**faults)

        with pytest.raises(DifferenceNotBookable):
            bill_differences.book(
                brand_id=till.brand.id,
                difference_id=BillDifference.objects.get().id,
                reason="补记",
                by=BY,
                at=NOON_AFTER,
            )

    def test_a_stranger_s_payment_is_not_booked(self, till: Till) -> None:
        (payment,) = till.sell()
        file = till.file().replace(payment.public_id.encode(), f"pay_{uuid4().hex}".encode())
        till.take(file=file)

        (difference,) = BillDifference.objects.filter(kind="missing_here")
        with pytest.raises(DifferenceNotBookable):
            bill_differences.book(
                brand_id=till.brand.id, difference_id=difference.id, reason="补记", by=BY, at=NOON_AFTER
            )
        assert difference.closed_at is None


class TestBadFiles:
    @pytest.fixture(autouse=True)
    def _sold(self, till: Till) -> None:
        till.sell(3)

    @pytest.fixture(autouse=True)
    def _nothing_half_done(self, _sold: None) -> Any:
        yield
        assert not BillFile.objects.exists()
        assert not BillDifference.objects.exists()

    def test_a_truncated_one(self, till: Till) -> None:
        with pytest.raises(BillIncomplete) as refused:
            till.take(truncated=True)
        assert refused.value.details == {"lines": 3}

    @pytest.mark.parametrize("cut", [10, 60, 61, 62, 200])
    def test_one_cut_off_anywhere(self, till: Till, cut: int) -> None:
        with pytest.raises((BillIncomplete, BillTotalsWrong, BillRefused)):
            till.take(file=till.file()[:-cut])

    def test_one_whose_totals_are_of_another_file(self, till: Till) -> None:
        lines = till.file().decode().splitlines(keepends=True)

        with pytest.raises(BillTotalsWrong) as refused:
            till.take(file="".join(lines[:1] + lines[2:]).encode())
        assert refused.value.details == {"stated": "3 / 29.70 / 0.00 / 0.18", "found": "2 / 19.80 / 0.00 / 0.12"}

    def test_one_in_another_currency(self, till: Till) -> None:
        with pytest.raises(BillCurrencyWrong):
            till.take(currency="USD")

    def test_bad_lines_are_counted_and_named(self, till: Till) -> None:
        text = till.file().decode()

        for broken, code in (
            (text.replace("`9.90,`0.00,`\r\n", "`9,90,`0.00,`\r\n"), "wrong_cell_count"),
            (text.replace("`SUCCESS", "`PENDING"), "state_unknown"),
            (text.replace("`0.06000", "`0.06"), "amount_unreadable"),
            (text.replace("2026-06-01", "2026-05-01"), "of_another_day"),
            (text.replace("2026-06-01 12", "2026-06-31 12"), "time_unreadable"),
            (text.replace("`pay_", "`支付"), "reference_unreadable"),
        ):
            with pytest.raises(BillRefused) as refused:
                till.take(file=broken.encode())
            assert refused.value.details["count"] == 3, code
            assert {(p.told()["code"]) for p in refused.value.problems} == {code}
            assert [p.told()["line"] for p in refused.value.problems] == [2, 3, 4]

    def test_of_many_bad_lines_the_first_ten_thousand_are_kept_and_all_are_counted(self, till: Till) -> None:
        heading, *_, totals_heading, totals = till.file().decode().splitlines(keepends=True)

        with pytest.raises(BillRefused) as refused:
            till.take(file=(heading + "`x,\r\n" * 10_500 + totals_heading + totals).encode())

        assert refused.value.details["count"] == 10_500
        assert len(refused.value.problems) == 10_000
        assert len(refused.value.details["problems"]) == 100

    def test_what_is_no_bill(self, till: Till) -> None:
        with pytest.raises(BillEmpty):
            till.take(file=b"")
        with pytest.raises(BillColumnsMissing):
            till.take(file="订单,金额\n1,2\n".encode())


class TestFetching:
    def test_the_bills_of_ended_days_are_fetched_once(self, till: Till) -> None:
        till.sell(2)
        before_ten = NOW.replace(hour=1) + timedelta(days=1)  # 9 o'clock there

        assert bill_fetching.fetch_due(at=before_ten) == 0
        assert bill_fetching.fetch_due(at=NOON_AFTER) == 1
        assert bill_fetching.fetch_due(at=NOON_AFTER) == 0
        assert till.provider.calls.count("bill") == 1
        assert BillFile.objects.get().matched_count == 2

    def test_a_silent_provider_is_asked_again(self, till: Till) -> None:
        till.sell()
        till.provider.is_silent = True
        assert bill_fetching.fetch_due(at=NOON_AFTER) == 0

        till.provider.is_silent = False
        assert bill_fetching.fetch_due(at=NOON_AFTER) == 1


def test_progress_ends_with_the_file(till: Till) -> None:
    from orders.services import bills

    till.sell()
    file, read = till.file(), list[int]()

    bills.take(
        brand_id=till.brand.id,
        provider="sandbox",
        day=DAY,
        source=io.BytesIO(file),
        by=BY,
        at=NOON_AFTER,
        progress=read.append,
    )

    assert read[-1] == len(file)
