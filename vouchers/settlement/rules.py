"""Settlement rules as terms carry them, and which of them a store goes by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vouchers.verdict.scope import StoreScope, scope_of
from vouchers.verdict.terms import Place

EVERYTHING_BPS = 10_000


class Bearer(StrEnum):
    """Out of whose part something is paid."""

    ENTITY = "entity"
    BRAND = "brand"


@dataclass(frozen=True, slots=True)
class SettlementRule:
    """
    What a store's entity gets for one use, and who bears what others get of it.

    Its share is ``share_bps`` of what was paid or, where ``per_use_fen`` is named, that many fen whatever was paid;
    then at least ``floor_fen``, at most ``cap_fen``; floor and fixed amount hold for granted uses, too. The brand
    adds ``subsidy_fen`` and takes ``fee_bps`` of what was paid. Promoter and service provider get the rates frozen
    at the sale, another platform ``platform_bps`` of what it sold: out of the entity's part or the brand's. What the
    brand gave up at another platform counts as paid where ``merchant_discount_by`` is the brand. A remake is made
    at the cost of ``remakes_by``. ``split_through`` names a payment provider that pays the entity, within its limit.

    As JSON a rule has only the words that differ from this, and ``"stores"``: a store scope it is for.
    """

    stores: StoreScope | None = None
    share_bps: int = EVERYTHING_BPS
    per_use_fen: int | None = None
    floor_fen: int = 0
    cap_fen: int | None = None
    subsidy_fen: int = 0
    fee_bps: int = 0
    platform_bps: int = 0
    promoter_by: Bearer = Bearer.ENTITY
    provider_by: Bearer = Bearer.ENTITY
    platform_by: Bearer = Bearer.ENTITY
    merchant_discount_by: Bearer = Bearer.ENTITY
    remakes_by: Bearer = Bearer.ENTITY
    split_through: str = ""


DEFAULT_RULE = SettlementRule()
"""Of terms without a rule for a store: all that was paid is its entity's, less what promoter and platform get."""

WORDS = frozenset(field.name for field in fields(SettlementRule))
NUMBERS = frozenset({"share_bps", "floor_fen", "subsidy_fen", "fee_bps", "platform_bps"})
OPTIONAL_NUMBERS = frozenset({"per_use_fen", "cap_fen"})
BEARERS = frozenset({"promoter_by", "provider_by", "platform_by", "merchant_discount_by", "remakes_by"})


@dataclass(frozen=True, slots=True)
class ProviderLimit:
    """How much of a payment its provider pays to others, and how long it keeps it for them."""

    most_bps: int
    most_days: int


def _provider_limits() -> Mapping[str, ProviderLimit]:
    raw = json.loads(Path(__file__).with_name("provider_limits.json").read_text())
    return MappingProxyType({name: ProviderLimit(**limit) for name, limit in raw.items()})


PROVIDER_LIMITS = _provider_limits()
"""WeChat Pay: up to 30 % of an order to others, kept for them 180 days at most."""


def rules_of(raw: Sequence[Mapping[str, Any]]) -> tuple[SettlementRule, ...]:
    """
    The rules behind their JSON, in the order in which a store looks for its own.

    Raises:
        MalformedId: an id of something else.
        ValueError: a word that no rule knows, a number that is none, a bearer nobody is.
    """
    return tuple(_rule(one) for one in raw)


def rule_for(rules: Sequence[SettlementRule], place: Place) -> tuple[int | None, SettlementRule]:
    """The first rule that is for the store, with its place among them; None and the default where none is."""
    for number, rule in enumerate(rules):
        if rule.stores is None or rule.stores.honours(place.store_id, place.region_ids, place.group_ids):
            return number, rule
    return None, DEFAULT_RULE


def _rule(raw: Mapping[str, Any]) -> SettlementRule:
    if not isinstance(raw, Mapping):
        raise ValueError("a rule is an object")
    if unknown := raw.keys() - WORDS:
        raise ValueError(f"a settlement rule knows no {sorted(unknown)}")
    said: dict[str, Any] = dict(raw)
    for name in said.keys() & (NUMBERS | OPTIONAL_NUMBERS):
        is_none = said[name] is None and name in OPTIONAL_NUMBERS
        if not is_none and (isinstance(said[name], bool) or not isinstance(said[name], int) or said[name] < 0):
            raise ValueError(f"{name} is a whole number from 0")
    for name in said.keys() & BEARERS:
        said[name] = Bearer(said[name])
    if not isinstance(said.get("split_through", ""), str):
        raise ValueError("split_through is a provider's name")
    if "stores" in said:
        if not isinstance(said["stores"], Mapping):
            raise ValueError("stores is a store scope")
        said["stores"] = scope_of(dict(said["stores"]))
    return SettlementRule(**said)
