"""
May this voucher be used here and now? One answer for prepare, redeem and checkout.

Pure: terms as they were frozen, the voucher's own facts, a store, a bill and a moment go in; the refusal
that applies first comes out, or None. No clock, no database; about 5 µs a call.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from stores.models import Region, Store
from vouchers import errors
from vouchers.models import Deal, Voucher

MINUTES_A_DAY = 24 * 60
SCOPE_WORDS = frozenset({"everywhere", "regions", "stores", "except_regions", "except_stores"})

Refusal = type[DomainError]


@dataclass(frozen=True, slots=True)
class StoreScope:
    """
    Where a voucher is honoured: everywhere of its brand, or in named regions (with those below) and
    stores; minus exclusions, which always win.

    As JSON: ``{"everywhere": true}`` or ``{"regions": ["rgn_…"], "stores": ["sto_…"]}``, each with
    ``"except_regions"`` and ``"except_stores"`` beside it. The empty rule is everywhere.
    """

    everywhere: bool
    regions: frozenset[UUID] = frozenset()
    stores: frozenset[UUID] = frozenset()
    except_regions: frozenset[UUID] = frozenset()
    except_stores: frozenset[UUID] = frozenset()

    def honours(self, store_id: UUID, region_ids: Collection[UUID]) -> bool:
        """Whether the rule takes in a store whose region and the regions above it are ``region_ids``."""
        if store_id in self.except_stores or not self.except_regions.isdisjoint(region_ids):
            return False
        return self.everywhere or store_id in self.stores or not self.regions.isdisjoint(region_ids)


@dataclass(frozen=True, slots=True)
class Terms:
    """A row of ``DealTerms``, in the form in which a verdict is quick."""

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

    @property
    def needs_bill(self) -> bool:
        return self.min_spend_fen > 0 or self.kind == Deal.Kind.DISCOUNT

    @property
    def spans_as_clocks(self) -> list[list[str]]:
        """The day spans as they were written: ``[["18:00", "26:00"]]``."""
        return [[f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in span] for span in self.day_spans]

    @property
    def has_calendar(self) -> bool:
        return bool(self.weekdays or self.day_spans or self.blackout_dates)


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


class Place(Protocol):
    """What a verdict reads of a store; ``region_ids`` are its region and those above."""

    @property
    def store_id(self) -> UUID: ...
    @property
    def region_ids(self) -> Collection[UUID]: ...
    @property
    def zone(self) -> str: ...


def refusal_of(
    voucher: VoucherFacts | None, terms: Terms | None, *, store: Place, bill_fen: int | None, at: datetime
) -> Refusal | None:
    """The first refusal that applies to one use of the voucher, or None where it is usable."""
    if voucher is None or terms is None:
        return errors.VoucherNotFound
    return (
        refusal_of_its_state(voucher, at=at)
        or _refusal_of_place_and_hour(terms, store=store, at=at)
        or _refusal_of_the_bill(terms, bill_fen=bill_fen)
    )


def refusal_of_its_state(voucher: VoucherFacts, *, at: datetime) -> Refusal | None:
    """What of the voucher itself stands in the way: its state, then its time."""
    status = voucher.status
    if status in (Voucher.Status.REFUNDING, Voucher.Status.REFUNDED):
        return errors.VoucherRefunded
    if status == Voucher.Status.USED:
        return errors.VoucherAlreadyRedeemed
    if voucher.uses_held:
        return errors.VoucherHeld
    if at < voucher.valid_from:
        return errors.VoucherNotYetValid
    if status == Voucher.Status.EXPIRED or at >= voucher.valid_until:
        return errors.VoucherExpired
    return None


def refusal_to_refund(voucher: VoucherFacts, terms: Terms, *, at: datetime) -> Refusal | None:
    """
    Why nothing of the voucher can be given back now, or None.

    What is not valid yet may be given back; once its time is over its terms decide by themselves.
    """
    refusal = refusal_of_its_state(voucher, at=max(at, voucher.valid_from))
    if refusal is None and not terms.refundable_unused:
        return errors.VoucherNotRefundable
    return refusal


def refusal_together(used: Iterable[tuple[UUID, Terms]]) -> tuple[Refusal, Terms] | None:
    """
    Why vouchers that are usable one by one are not in one order, and whose terms say so.

    A request at the counter is one order, whoever's vouchers they are: ``max_per_order`` counts vouchers
    of one deal (not uses of a card), and among vouchers that name a stacking group all name the same.
    """
    vouchers_of: dict[UUID, set[UUID]] = {}
    group = ""
    for voucher_id, terms in used:
        of_deal = vouchers_of.setdefault(terms.deal_id, set())
        of_deal.add(voucher_id)
        if terms.max_per_order is not None and len(of_deal) > terms.max_per_order:
            return errors.TooManyOfOneDeal, terms
        if terms.stacking_group and group and terms.stacking_group != group:
            return errors.VouchersDoNotCombine, terms
        group = group or terms.stacking_group
    return None


def status_of(*, uses_left: int, uses_held: int, refunding: bool, refunded: bool, expired: bool) -> Voucher.Status:
    """A voucher's status from its facts, first that holds; the three flags are true where any use is so."""
    if refunding:
        return Voucher.Status.REFUNDING
    if uses_held:
        return Voucher.Status.HELD
    if uses_left:
        return Voucher.Status.ISSUED
    if refunded:
        return Voucher.Status.REFUNDED
    return Voucher.Status.EXPIRED if expired else Voucher.Status.USED


def is_in_calendar(terms: Terms, *, zone: str, at: datetime) -> bool:
    """
    Whether weekdays, day spans and blackout dates allow ``at``.

    All three speak of the store's own days, and a span past midnight belongs to the day it began on:
    Friday's 18:00–26:00 holds at 1 o'clock on Saturday, blackout or not.
    """
    local = at.astimezone(_zone(zone))
    today, minute = local.date(), local.hour * 60 + local.minute
    spans = terms.day_spans or ((0, MINUTES_A_DAY),)
    return any(
        first <= passed < last
        for day, passed in ((today, minute), (today - timedelta(days=1), minute + MINUTES_A_DAY))
        if (not terms.weekdays or day.isoweekday() in terms.weekdays) and day not in terms.blackout_dates
        for first, last in spans
    )


def minutes_of(clock: str) -> int:
    """``"26:00"`` as minutes since the day's midnight; a day may run on to 48:00."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def scope_of(rule: dict[str, Any]) -> StoreScope:
    """
    The store scope behind its JSON; ids in their public form.

    Raises:
        MalformedId: an id of something else.
        ValueError: a word that no rule knows.
    """
    if unknown := rule.keys() - SCOPE_WORDS:
        raise ValueError(f"a store scope knows no {sorted(unknown)}")
    regions, stores = _ids(rule, "regions", Region.PREFIX), _ids(rule, "stores", Store.PREFIX)
    return StoreScope(
        everywhere=bool(rule.get("everywhere", not regions and not stores)),
        regions=regions,
        stores=stores,
        except_regions=_ids(rule, "except_regions", Region.PREFIX),
        except_stores=_ids(rule, "except_stores", Store.PREFIX),
    )


def _refusal_of_place_and_hour(terms: Terms, *, store: Place, at: datetime) -> Refusal | None:
    if not terms.scope.honours(store.store_id, store.region_ids):
        return errors.WrongStore
    if terms.has_calendar and not is_in_calendar(terms, zone=store.zone, at=at):
        return errors.VoucherNotUsableNow
    return None


def _refusal_of_the_bill(terms: Terms, *, bill_fen: int | None) -> Refusal | None:
    if not terms.needs_bill:
        return None
    if bill_fen is None:
        return errors.BillAmountRequired
    return errors.MinSpendNotReached if bill_fen < terms.min_spend_fen else None


def _ids(rule: dict[str, Any], key: str, prefix: str) -> frozenset[UUID]:
    return frozenset(parse(prefix, public_id) for public_id in rule.get(key, ()))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
