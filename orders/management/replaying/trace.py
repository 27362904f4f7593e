"""The trace as it lies on disk: who was granted which campaign, and who used which coupon on which day."""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

FILES = ("campaign_descriptions", "campaigns", "coupons", "coupon_redemptions")


class NoTrace(Exception):
    """There is no such directory, or a file of it cannot be read; the message says which."""


@dataclass(frozen=True, order=True)
class Use:
    """One redemption as it happened."""

    day: date
    campaign: str
    household: str
    coupon: str

    @property
    def voucher(self) -> tuple[str, str, str]:
        return self.campaign, self.household, self.coupon


@dataclass(frozen=True)
class Campaign:
    """``first_day`` and ``last_day`` are both days on which its coupons could be used."""

    name: str
    first_day: date
    last_day: date
    households: tuple[str, ...]
    coupons: tuple[str, ...]

    @property
    def vouchers(self) -> int:
        return len(self.households) * len(self.coupons)


@dataclass(frozen=True)
class Trace:
    campaigns: tuple[Campaign, ...]
    uses: tuple[Use, ...]

    @cached_property
    def times_used(self) -> Counter[tuple[str, str, str]]:
        """By voucher: a household's coupon of a campaign. What was never used is not in it."""
        return Counter(use.voucher for use in self.uses)

    @cached_property
    def uses_of_day(self) -> dict[date, list[Use]]:
        by_day: defaultdict[date, list[Use]] = defaultdict(list)
        for use in self.uses:
            by_day[use.day].append(use)
        return by_day

    @property
    def vouchers(self) -> int:
        return sum(campaign.vouchers for campaign in self.campaigns)

    def days(self) -> Iterator[date]:
        """From the first campaign's first day to the last one's last, and the day after."""
        first = min(campaign.first_day for campaign in self.campaigns)
        last = max(campaign.last_day for campaign in self.campaigns)
        for number in range((last - first).days + 2):
            yield first + timedelta(days=number)


def read(directory: Path, *, only: Collection[str] = ()) -> Trace:
    """
    The trace in ``directory``; with ``only``, of these campaigns.

    Raises:
        NoTrace: a file is missing, or is not what it should be.
    """
    try:
        described, granted, coupons, redeemed = (list(_rows(directory / f"{name}.csv.gz")) for name in FILES)
        households, books = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        for row in granted:
            households[row["campaign_id"]].add(row["household_id"])
        for row in coupons:
            books[row["campaign_id"]].add(row["coupon_upc"])
        campaigns = [
            Campaign(
                row["campaign_id"],
                date.fromisoformat(row["start_date"]),
                date.fromisoformat(row["end_date"]),
                tuple(sorted(households[row["campaign_id"]])),
                tuple(sorted(books[row["campaign_id"]])),
            )
            for row in described
            if not only or row["campaign_id"] in only
        ]
        named = {campaign.name for campaign in campaigns}
        uses = [
            Use(date.fromisoformat(row["redemption_date"]), row["campaign_id"], row["household_id"], row["coupon_upc"])
            for row in redeemed
            if row["campaign_id"] in named
        ]
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise NoTrace(f"{directory}: {error}") from error
    if missing := set(only) - named:
        raise NoTrace(f"{directory}: there is no campaign {', '.join(sorted(missing))}")
    if not campaigns:
        raise NoTrace(f"{directory}: no campaign at all")
    return Trace(tuple(sorted(campaigns, key=lambda one: (one.first_day, one.name))), tuple(sorted(uses)))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
