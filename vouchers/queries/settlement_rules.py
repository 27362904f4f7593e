"""The settlement rules of terms, as every process remembers them: they are frozen, so once read is read for ever."""

from collections.abc import Collection
from uuid import UUID

from vouchers.models import DealTerms
from vouchers.settlement import SettlementRule, rules_of

_rules: dict[UUID, tuple[SettlementRule, ...]] = {}


def settlement_rules(terms_ids: Collection[UUID]) -> dict[UUID, tuple[SettlementRule, ...]]:
    """The rules of each of the terms, in their order; none where the terms have none."""
    if missing := [one for one in terms_ids if one not in _rules]:
        rows = DealTerms.objects.filter(id__in=missing).values_list("id", "settlement_rules")
        _rules.update({terms_id: rules_of(raw) for terms_id, raw in rows})
    return {one: _rules[one] for one in terms_ids}
