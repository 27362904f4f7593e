"""``manage.py replay`` says yes to what happened and holds no rule: without the services' checks it fails."""

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.kernel.errors import DomainError
from orders.management.commands import replay
from orders.management.replaying import chain
from stores.models import Brand
from vouchers import errors
from vouchers.models import Redemption, Voucher
from vouchers.services import redemption_batch, voucher_locks

pytestmark = pytest.mark.django_db(transaction=True)

# Two campaigns that touch, a coupon used twice, one campaign that nobody used.
CAMPAIGNS = [("1", "2016-11-14", "2016-11-16"), ("2", "2016-11-16", "2016-11-17"), ("3", "2016-11-15", "2016-11-15")]
REACHED = [("1", "ann"), ("1", "bea"), ("1", "cyd"), ("2", "ann"), ("2", "bea"), ("3", "ann")]
COUPONS = [("1", "501"), ("1", "502"), ("1", "505"), ("2", "501"), ("2", "503"), ("3", "504")]
USES = [
    ("1", "ann", "501", "2016-11-14"),
    ("1", "ann", "501", "2016-11-16"),
    ("1", "bea", "502", "2016-11-15"),
    ("2", "bea", "501", "2016-11-17"),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path, "campaign_descriptions", ["campaign_id", "start_date", "end_date"], CAMPAIGNS)
    write(tmp_path, "campaigns", ["campaign_id", "household_id"], REACHED)
    write(tmp_path, "coupons", ["campaign_id", "coupon_upc"], [*COUPONS, *COUPONS])
    write(tmp_path, "coupon_redemptions", ["campaign_id", "household_id", "coupon_upc", "redemption_date"], USES)
    return tmp_path


def write(directory: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with gzip.open(directory / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([columns, *rows])


def play(directory: Path, **options: Any) -> dict[str, Any]:
    """The report of a replay that found nothing wrong."""
    out = StringIO()
    call_command("replay", directory, "--json", stdout=out, **options)
    report: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return report


def test_everything_that_happened_is_accepted_and_every_mutation_refused(directory: Path) -> None:
    report = play(directory)

    assert report["ok"]
    assert (report["days"], report["campaigns"], report["granted"], report["several_uses"]) == (4, 3, 14, 1)
    assert report["accepted"] == {"all": 4, "wallet": 2, "counter": 2}
    assert report["refused"] == {
        "all": 19,
        "voucher_not_yet_valid": 4,
        "voucher_expired": 4,
        "voucher_not_found": 8,
        "voucher_already_redeemed": 3,
    }
    totals = report["vouchers"]
    assert (totals["vouchers"], totals["used"], totals["expired"], totals["open"], totals["uses"]) == (14, 3, 11, 0, 4)
    assert report["recounts"] == 3, "after each campaign's last day, the last of them at the end"
    assert report["audit"]["violations"] == 0
    assert Redemption.objects.count() == 4
    assert sorted(Voucher.objects.exclude(status="expired").values_list("uses_total", flat=True)) == [1, 1, 2]


def test_it_plays_again_beside_what_is_there(directory: Path) -> None:
    assert play(directory)["brand"] == "replay"
    assert play(directory)["brand"] == "replay-2"
    assert Brand.objects.count() == 2


def test_some_campaigns_are_played_alone(directory: Path) -> None:
    report = play(directory, campaigns="2")

    assert (report["days"], report["granted"], report["accepted"]["all"]) == (2, 4, 1)
    with pytest.raises(CommandError, match="there is no campaign 9"):
        play(directory, campaigns="2,9")


def test_a_directory_without_the_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="campaign_descriptions"):
        play(tmp_path)
    (tmp_path / "campaign_descriptions.csv.gz").write_text("not compressed")
    with pytest.raises(CommandError):
        play(tmp_path)


# --- replay has no rule of its own ------------------------------------------------------------------


def without(refusal: type[DomainError]) -> Callable[[pytest.MonkeyPatch], None]:
    """The verdict forgets one refusal."""

    def forget(monkeypatch: pytest.MonkeyPatch) -> None:
        verdict = redemption_batch.refusal_of

        def lenient(*args: Any, **kwargs: Any) -> Any:
            why = verdict(*args, **kwargs)
            return None if why is refusal else why

        monkeypatch.setattr(redemption_batch, "refusal_of", lenient)

    return forget


def without_asking_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = voucher_locks.LOCK_OF_CUSTOMER
    of_hers = "v.customer_id = %(customer_id)s"
    assert of_hers in lock
    monkeypatch.setattr(voucher_locks, "LOCK_OF_CUSTOMER", lock.replace(of_hers, "%(customer_id)s::uuid IS NOT NULL"))


def without_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "expire_due", lambda **_: 0)


def without_the_last_of_each_book(monkeypatch: pytest.MonkeyPatch) -> None:
    """A book of coupons that lacks one."""
    book = chain.Chain._book
    monkeypatch.setattr(
        chain.Chain,
        "_book",
        lambda self, name, campaign, children, *, at: book(self, name, campaign, children[:-1] or children, at=at),
    )


def without_counting_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redemption_batch, "USE_UP", redemption_batch.USE_UP + " AND false")


@pytest.mark.parametrize(
    ("break_it", "failure"),
    [
        (without(errors.VoucherNotYetValid), SystemExit),
        (without(errors.VoucherExpired), SystemExit),
        # No use is left to take, and no voucher to take it of: there the engine itself stops.
        (without(errors.VoucherAlreadyRedeemed), StopIteration),
        (without(errors.VoucherNotFound), AssertionError),
        (without_asking_whose_it_is, SystemExit),
        (without_expiry, SystemExit),
        (without_the_last_of_each_book, SystemExit),
        (without_counting_uses, StopIteration),
    ],
)
def test_without_the_services_own_check_it_fails(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[pytest.MonkeyPatch], None],
    failure: type[BaseException],
) -> None:
    break_it(monkeypatch)

    with pytest.raises(failure) as failed:
        play(directory)

    assert not isinstance(failed.value, SystemExit) or failed.value.code == 1


# --- the real trace ---------------------------------------------------------------------------------


@pytest.mark.data
def test_a_month_of_the_real_trace(shared_data: Path) -> None:
    """Campaigns 25 and 26: 4,370 vouchers, 23 redemptions, one coupon used twice."""
    report = play(shared_data / "journey", campaigns="25,26")

    assert (report["granted"], report["accepted"]["all"]) == (4_370, 23)
    assert report["refused"]["all"] == 4 * 23 + 22
