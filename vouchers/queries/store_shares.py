"""What a store receives for one use, line by line: the calculator, by the very function that settles."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.kernel.money import yuan
from vouchers.settlement import Bearer, Division, Paid, SettlementRule, divide, keep, rule_for
from vouchers.verdict import Place


@dataclass(frozen=True, slots=True)
class ShareLine:
    """One step from what was paid to what is received; ``fen`` is below zero where it is taken off."""

    part: str
    fen: int
    rate_bps: int | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class StoreShare:
    """What the store receives, by which rule of the terms (None: the rule of terms without one)."""

    receives_fen: int
    rule: int | None
    division: Division
    lines: tuple[ShareLine, ...]

    @property
    def zh(self) -> str:
        return f"本店每杯到手 {yuan(self.receives_fen)}"

    @property
    def en(self) -> str:
        return f"Your store receives {yuan(self.receives_fen)} for this cup."


def store_share(rules: Sequence[SettlementRule], *, place: Place, has_entity: bool, paid: Paid) -> StoreShare:
    """What a store there receives for a use that was paid for like this."""
    number, rule = rule_for(rules, place)
    division = divide(paid, rule) if has_entity else keep(paid, rule)
    return StoreShare(division.entity_fen, number, division, _lines(division, rule, paid))


def _lines(division: Division, rule: SettlementRule, paid: Paid) -> tuple[ShareLine, ...]:
    rate = None if rule.per_use_fen is not None else rule.share_bps
    platform_bps = rule.platform_bps if paid.is_platforms else 0

    def borne(by: Bearer, fen: int) -> int:
        return -fen if by == Bearer.ENTITY and division.borne_fen else 0

    lines = (
        ShareLine("paid", division.paid_fen, None, "顾客实付", "Paid for it"),
        ShareLine("share", division.share_fen, rate, "门店分成", "The store's share of it"),
        ShareLine("subsidy", division.subsidy_fen, None, "品牌补贴", "Added by the brand"),
        ShareLine("fee", -division.fee_fen, rule.fee_bps, "品牌服务费", "The brand's fee"),
        ShareLine(
            "promoter", borne(rule.promoter_by, division.promoter_fen), paid.promoter_bps, "达人佣金", "The promoter's"
        ),
        ShareLine(
            "provider",
            borne(rule.provider_by, division.provider_fen),
            paid.provider_bps,
            "服务商佣金",
            "The service provider's",
        ),
        ShareLine(
            "platform", borne(rule.platform_by, division.platform_fen), platform_bps, "平台服务费", "The platform's fee"
        ),
    )
    return tuple(line for line in lines if line.fen or line.part in ("paid", "share"))
