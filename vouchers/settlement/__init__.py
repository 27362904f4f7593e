"""Who is paid how much for a use: rules that terms carry, and the one function that divides by them."""

from vouchers.settlement.dividing import Division, Fault, Paid, divide, keep, take_back
from vouchers.settlement.rules import (
    DEFAULT_RULE,
    EVERYTHING_BPS,
    PROVIDER_LIMITS,
    Bearer,
    ProviderLimit,
    SettlementRule,
    rule_for,
    rules_of,
)

__all__ = [
    "DEFAULT_RULE",
    "EVERYTHING_BPS",
    "PROVIDER_LIMITS",
    "Bearer",
    "Division",
    "Fault",
    "Paid",
    "ProviderLimit",
    "SettlementRule",
    "divide",
    "keep",
    "rule_for",
    "rules_of",
    "take_back",
]
