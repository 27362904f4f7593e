"""The questions people ask about a deal, answered by the same rules that counters decide by."""

from collections.abc import Sequence
from dataclasses import dataclass

from vouchers.verdict import Rule, Terms

ASKED: Sequence[tuple[str, tuple[str, ...]]] = (
    ("ask.how", ()),
    ("ask.where", ("store_scope", "dearer_stores")),
    ("ask.when", ("validity", "weekdays", "day_spans", "holiday_rule", "special_dates", "blackout_dates")),
    ("ask.what", ("product_scope", "min_spend", "substitutes")),
    ("ask.together", ("max_per_order", "stacking_group")),
    ("ask.unused", ("refundable_unused",)),
    ("ask.expired", ("refunds_on_expiry",)),
)
"""A question's key, and the rules that answer it."""


@dataclass(frozen=True, slots=True)
class Question:
    """``key`` says the question; ``rules`` answer it, or the text under ``answer`` where no rule speaks of it."""

    key: str
    rules: tuple[Rule, ...]
    answer: str = ""


def questions_of(terms: Terms, rules: Sequence[Rule]) -> list[Question]:
    by_name = {rule.name: rule for rule in rules}
    found = []
    for key, names in ASKED:
        answers = tuple(by_name[name] for name in names if name in by_name)
        if answers:
            found.append(Question(key, answers))
        elif key == "ask.how":
            found.append(Question(key, (), "ask.how.answer"))
        elif key == "ask.together":
            found.append(Question(key, (), "ask.together.answer"))
    return found
