"""What was promised, in the form in which a verdict is quick; and what a verdict reads besides it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from vouchers.models import Deal, DealTerms
from vouchers.verdict.scope import ProductScope, StoreScope


@dataclass(frozen=True, slots=True)
class Extension:
    """
    An amendment that made vouchers last longer: until a date, or so many days more by the brand's clock.

    A voucher counts those that its ``valid_until`` has (``extensions``); the others are still to come.
    """

    until: datetime | None = None
    more_days: int = 0
    zone: str = "UTC"

    def extended(self, valid_until: datetime) -> datetime:
        """``valid_until`` with it; SQL says the same in ``extending.EXTEND``."""
        if self.until is not None:
            return max(valid_until, self.until)
        zone = zone_named(self.zone)
        wall = valid_until.astimezone(zone).replace(tzinfo=None) + timedelta(days=self.more_days)
        return wall.replace(tzinfo=zone)


@dataclass(frozen=True, slots=True)
class Terms:
    """
    A row of ``DealTerms`` with its amendments, as a verdict reads it.

    ``listed_days`` are the days that a holiday calendar decides, by ``calendar.listed_days``; ``revision``
    counts what came after publishing (``TermsRevision``), ``zone`` is the brand's. ``usable_days`` and
    ``usable_until`` are as published, which is how vouchers are issued; ``extensions`` come on top. What a
    package is made of (``package_groups``) no amendment touches.
    """

    id: UUID
    deal_id: UUID
    brand_id: UUID
    number: int
    kind: str
    title: str
    use_list_fen: tuple[int, ...]
    face_value_fen: int | None
    discount_rate_bps: int | None
    discount_cap_fen: int | None
    min_spend_fen: int
    usable_from: datetime | None
    usable_until: datetime | None
    usable_days: int | None
    weekdays: frozenset[int]
    day_spans: tuple[tuple[int, int], ...]
    blackout_dates: frozenset[date]
    scope: StoreScope
    stacking_group: str
    max_per_order: int | None
    refundable_unused: bool
    refunds_on_expiry: bool
    special_dates: frozenset[date] = frozenset()
    holiday_rule: str = DealTerms.HolidayRule.USABLE
    makeup_rule: str = DealTerms.MakeupRule.OWN_WEEKDAY
    holidays: frozenset[date] = frozenset()
    listed_days: Mapping[date, bool] = field(default_factory=dict)
    dearer_stores: str = DealTerms.DearerStores.INCLUDED
    product_scope: ProductScope = ProductScope(everything=True)  # noqa: RUF009 - frozen
    substitutes: Mapping[UUID, tuple[UUID, ...]] = field(default_factory=dict)
    extensions: tuple[Extension, ...] = ()
    zone: str = "Asia/Shanghai"
    revision: int = 0
    package_groups: tuple[Mapping[str, Any], ...] = ()

    @property
    def needs_bill(self) -> bool:
        return self.min_spend_fen > 0 or self.kind == Deal.Kind.DISCOUNT

    @property
    def asks_the_difference(self) -> bool:
        """Whether the customer pays on top at dearer stores."""
        return self.dearer_stores == DealTerms.DearerStores.PAY_DIFFERENCE

    @property
    def spans_as_clocks(self) -> list[list[str]]:
        """The day spans as they were written: ``[["18:00", "26:00"]]``."""
        return [[f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in span] for span in self.day_spans]

    @property
    def has_calendar(self) -> bool:
        return bool(
            self.weekdays
            or self.day_spans
            or self.blackout_dates
            or self.listed_days
            or self.holiday_rule == DealTerms.HolidayRule.ONLY
        )

    @property
    def days_now(self) -> int | None:
        """``usable_days`` with the days that amendments added."""
        return None if self.usable_days is None else self.usable_days + sum(one.more_days for one in self.extensions)

    @property
    def until_now(self) -> datetime | None:
        """``usable_until``, or the latest date that an amendment moved it to."""
        later = [one.until for one in self.extensions if one.until is not None]
        return None if self.usable_until is None else max(self.usable_until, *later) if later else self.usable_until

    def discount_fen(self, bill_fen: int | None) -> int | None:
        """What the voucher takes off this bill: ⌊bill × rate⌋ up to the cap; None where it is no discount."""
        if self.discount_rate_bps is None or bill_fen is None:
            return None
        off = bill_fen * self.discount_rate_bps // 10_000
        return off if self.discount_cap_fen is None else min(off, self.discount_cap_fen)


class VoucherFacts(Protocol):
    """What a verdict reads of a voucher."""

    @property
    def status(self) -> str: ...
    @property
    def uses_left(self) -> int: ...
    @property
    def uses_held(self) -> int: ...
    @property
    def valid_from(self) -> datetime: ...
    @property
    def valid_until(self) -> datetime: ...
    @property
    def extensions(self) -> int: ...


class Place(Protocol):
    """What a verdict reads of a store; ``region_ids`` are its region and those above, ``group_ids`` its groups."""

    @property
    def store_id(self) -> UUID: ...
    @property
    def region_ids(self) -> Collection[UUID]: ...
    @property
    def group_ids(self) -> Collection[UUID]: ...
    @property
    def is_dearer(self) -> bool: ...
    @property
    def zone(self) -> str: ...


def valid_until_of(voucher: VoucherFacts, terms: Terms) -> datetime:
    """
    Until when the voucher may be used, extensions included that its row does not have yet.

    Vouchers are moved by the million in batches; whoever asks meanwhile is answered as if all had been.
    """
    return extended(voucher.valid_until, having=voucher.extensions, terms=terms)


def extended(valid_until: datetime, *, having: int, terms: Terms) -> datetime:
    """A row's ``valid_until``, which has so many of the extensions, with those that are still to come."""
    for extension in terms.extensions[having:]:
        valid_until = extension.extended(valid_until)
    return valid_until


@lru_cache(maxsize=64)
def zone_named(name: str) -> ZoneInfo:
    return ZoneInfo(name)
