"""The product page: what the terms say, and whether a voucher bought now would be honoured at a store now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from config.kernel.errors import DomainError
from stores.queries import StoreNow
from vouchers.models import Voucher
from vouchers.queries.refusals import refused_on_the_page
from vouchers.queries.words import rules_of
from vouchers.verdict import Rule, Terms, refusal_of


@dataclass(frozen=True, slots=True)
class RulesPage:
    """``refusal`` is why a fresh voucher would not be honoured there and then; None where it would, or nobody asked."""

    rules: list[Rule]
    refusal: DomainError | None


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A voucher as it would be if it were bought this moment."""

    valid_from: datetime
    valid_until: datetime
    status: str = Voucher.Status.ISSUED
    uses_left: int = 1
    uses_held: int = 0
    extensions: int = 0


def rules_page(terms: Terms, *, store: StoreNow | None, bill_fen: int | None, at: datetime) -> RulesPage:
    """Every rule as a sentence and, with a store, the verdict on a voucher bought now: the counter's own."""
    rules = rules_of(terms)
    if store is None:
        return RulesPage(rules, None)
    fresh = _Fresh(terms.usable_from or at, terms.until_now or at + timedelta(days=1))
    why = refusal_of(fresh, terms, store=store, bill_fen=bill_fen, at=at)
    if why is None:
        return RulesPage(rules, None)
    return RulesPage(rules, refused_on_the_page(why, terms, fresh, store=store, bill_fen=bill_fen, at=at))
