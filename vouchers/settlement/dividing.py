"""
Dividing what was paid for one use: pure arithmetic in whole fen, used by settling, calculator and documentation.

Shares are by largest remainder (``split_fen``), and the brand's is what is left, so the parts always sum to what
was paid. Every amount of a settlement line is here; below zero is what comes back.
"""

from dataclasses import dataclass
from enum import StrEnum

from config.kernel.money import split_fen
from vouchers.settlement.rules import DEFAULT_RULE, EVERYTHING_BPS, Bearer, SettlementRule


class Fault(StrEnum):
    """Who pays for a refund after use."""

    STORE = "store"
    BRAND = "brand"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Paid:
    """
    What came in for one use. ``merchant_fen`` is what the brand gave up where another platform sold it
    (``is_platforms``); promoter's and service provider's rates are those frozen at the sale.
    """

    paid_fen: int
    merchant_fen: int = 0
    promoter_bps: int = 0
    provider_bps: int = 0
    is_platforms: bool = False


@dataclass(frozen=True, slots=True)
class Division:
    """To whom it goes; see ``orders.models.settlement.Amounts`` for each part."""

    paid_fen: int
    share_fen: int
    subsidy_fen: int
    fee_fen: int
    borne_fen: int
    promoter_fen: int
    provider_fen: int
    platform_fen: int

    @property
    def entity_fen(self) -> int:
        return self.share_fen + self.subsidy_fen - self.fee_fen - self.borne_fen

    @property
    def brand_fen(self) -> int:
        return self.paid_fen - self.entity_fen - self.promoter_fen - self.provider_fen - self.platform_fen


def divide(paid: Paid, rule: SettlementRule) -> Division:
    """
    Who gets what for one use redeemed at a store whose entity goes by ``rule``.

    Promoter, service provider and platform get their rates of what was paid, together at most all of it; then
    the rule says what is the entity's, and out of whose part the others are paid. O(1).
    """
    promoter, provider, platform = _others(paid, rule)
    base = paid.paid_fen + (paid.merchant_fen if rule.merchant_discount_by == Bearer.BRAND else 0)
    share = _part(base, rule.share_bps) if rule.per_use_fen is None else rule.per_use_fen
    share = max(share if rule.cap_fen is None else min(share, rule.cap_fen), rule.floor_fen)
    borne = (
        (promoter if rule.promoter_by == Bearer.ENTITY else 0)
        + (provider if rule.provider_by == Bearer.ENTITY else 0)
        + (platform if rule.platform_by == Bearer.ENTITY else 0)
    )
    return Division(
        paid_fen=paid.paid_fen,
        share_fen=share,
        subsidy_fen=rule.subsidy_fen,
        fee_fen=_part(paid.paid_fen, rule.fee_bps),
        borne_fen=borne,
        promoter_fen=promoter,
        provider_fen=provider,
        platform_fen=platform,
    )


def keep(paid: Paid, rule: SettlementRule = DEFAULT_RULE) -> Division:
    """A store of nobody's: what the others leave is the brand's."""
    promoter, provider, platform = _others(paid, rule)
    return Division(paid.paid_fen, 0, 0, 0, 0, promoter, provider, platform)


def take_back(settled: Division, rule: SettlementRule, *, before_fen: int, refund_fen: int, fault: Fault) -> Division:
    """
    What a refund after use takes back, all below zero; ``before_fen`` was given back of the same use earlier.

    Promoter and service provider give back their part of it, cumulative and rounded down, so that nothing is left
    of it when all was refunded. At the store's fault its entity is charged the refund, and whoever bore the others'
    part has that again; else the brand pays, the others' part is the brand's, and the entity keeps what it has.
    """
    assert 0 < refund_fen <= settled.paid_fen - before_fen, "never more than the use's amount"
    promoter = _come_back(settled.promoter_fen, settled.paid_fen, before_fen, refund_fen)
    provider = _come_back(settled.provider_fen, settled.paid_fen, before_fen, refund_fen)
    is_stores = fault == Fault.STORE
    borne = (promoter if rule.promoter_by == Bearer.ENTITY else 0) + (
        provider if rule.provider_by == Bearer.ENTITY else 0
    )
    return Division(
        paid_fen=-refund_fen,
        share_fen=-refund_fen if is_stores else 0,
        subsidy_fen=0,
        fee_fen=0,
        borne_fen=-borne if is_stores else 0,
        promoter_fen=-promoter,
        provider_fen=-provider,
        platform_fen=0,
    )


def _others(paid: Paid, rule: SettlementRule) -> tuple[int, int, int]:
    rates = [paid.promoter_bps, paid.provider_bps, rule.platform_bps if paid.is_platforms else 0]
    assert sum(rates) <= EVERYTHING_BPS, "checked where rates and rules are written"
    promoter, provider, platform, _ = split_fen(paid.paid_fen, [*rates, EVERYTHING_BPS - sum(rates)])
    return promoter, provider, platform


def _part(fen: int, rate_bps: int) -> int:
    return split_fen(fen, [rate_bps, EVERYTHING_BPS - rate_bps])[0]


def _come_back(part_fen: int, paid_fen: int, before_fen: int, refund_fen: int) -> int:
    return part_fen * (before_fen + refund_fen) // paid_fen - part_fen * before_fen // paid_fen
