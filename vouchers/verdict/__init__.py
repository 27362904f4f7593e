"""Terms into yes or no: pure, and the same for everybody who asks."""

from vouchers.verdict.calendar import (
    MINUTES_A_DAY,
    YearDays,
    all_holidays,
    is_in_calendar,
    is_usable_day,
    listed_days,
    minutes_of,
    why_not_then,
)
from vouchers.verdict.refusal import (
    Refusal,
    refusal_of,
    refusal_of_its_state,
    refusal_to_refund,
    refusal_together,
    status_of,
    why_not_here,
)
from vouchers.verdict.scope import SCOPE_WORDS, ProductScope, StoreScope, product_scope_of, scope_of
from vouchers.verdict.terms import Extension, Place, Terms, VoucherFacts, extended, valid_until_of
from vouchers.verdict.words import RULES, Rule, rule_in_words, rules_in_words

__all__ = [
    "MINUTES_A_DAY",
    "RULES",
    "SCOPE_WORDS",
    "Extension",
    "Place",
    "ProductScope",
    "Refusal",
    "Rule",
    "StoreScope",
    "Terms",
    "VoucherFacts",
    "YearDays",
    "all_holidays",
    "extended",
    "is_in_calendar",
    "is_usable_day",
    "listed_days",
    "minutes_of",
    "product_scope_of",
    "refusal_of",
    "refusal_of_its_state",
    "refusal_to_refund",
    "refusal_together",
    "rule_in_words",
    "rules_in_words",
    "scope_of",
    "status_of",
    "valid_until_of",
    "why_not_here",
    "why_not_then",
]
