"""Whether settlement rules can hold; asked once, before terms freeze them or stores are asked."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from config.kernel.errors import MalformedId
from stores.models import Region, Store, StoreGroup
from vouchers.models import Deal, ParticipationRound
from vouchers.services.terms_check import MOST_FEN, NewTerms, refuse
from vouchers.services.terms_reach import require_ours
from vouchers.settlement import EVERYTHING_BPS, PROVIDER_LIMITS, Bearer, SettlementRule, rules_of
from vouchers.verdict import scope_of

FIELD = "settlement_rules"
MOST_RULES = 100


def check_rules(raw: Sequence[Mapping[str, Any]]) -> tuple[SettlementRule, ...]:
    """
    Refuse rules that promise more than there is, or say two things at once.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    if len(raw) > MOST_RULES:
        refuse(FIELD, f"at most {MOST_RULES} rules", f"最多 {MOST_RULES} 条分账规则")
    try:
        rules = rules_of(raw)
    except (MalformedId, ValueError, TypeError, AttributeError) as error:
        refuse(FIELD, f'such as [{{"share_bps": 9000, "fee_bps": 200}}]: {error}', "分账规则格式不对")
    for number, rule in enumerate(rules):
        _check_shares(rule, raw[number])
        if rule.stores is None and number < len(rules) - 1:
            refuse(FIELD, f"rule {number + 1} is for every store: those after it are never asked", "后面的规则用不到")
    return rules


def check_rules_of_terms(new: NewTerms, *, at: datetime) -> None:
    """
    Refuse rules that do not go with these terms: more for a use than it costs on the menu, more or longer than a
    payment provider divides.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    cheapest = min(new.uses)
    for rule in check_rules(new.settlement_rules):
        fixed = (rule.per_use_fen or 0) + rule.subsidy_fen
        if max(fixed, rule.floor_fen + rule.subsidy_fen) > cheapest:
            refuse(FIELD, "a store gets more for a use than its list price", "门店所得超过门市价")
        if rule.split_through:
            _check_split(rule, new, at=at)


def check_rules_named(raw: Sequence[Mapping[str, Any]], store_scope: Mapping[str, Any], *, deal: Deal) -> None:
    """
    Refuse rules for places that are not the brand's, or other rules than the stores of a round accepted.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    zh = "分账规则里有不存在的编号"
    for rule in rules_of(raw):
        if rule.stores is not None:
            for word, model in (("regions", Region), ("groups", StoreGroup), ("stores", Store)):
                named = getattr(rule.stores, word) | getattr(rule.stores, f"except_{word}")
                require_ours(model, named, deal.brand_id, FIELD, zh)
    groups: frozenset[UUID] = scope_of(dict(store_scope)).groups
    rounds = ParticipationRound.objects.filter(group_id__in=groups)
    if groups and any(asked.deal_id != deal.id or asked.settlement_rules != list(raw) for asked in rounds):
        refuse(FIELD, "its stores accepted other rules, or another deal", "门店同意的是别的分账规则或别的团购")


def _check_shares(rule: SettlementRule, raw: Mapping[str, Any]) -> None:
    if "share_bps" in raw and rule.per_use_fen is not None:
        refuse(FIELD, "share_bps or per_use_fen, not both", "分成比例和每份金额只能写一个")
    if max(rule.share_bps, rule.fee_bps, rule.platform_bps) > EVERYTHING_BPS:
        refuse(FIELD, "a share is at most 10,000 ten-thousandths", "比例不能超过 100%")
    for amount in (rule.per_use_fen, rule.floor_fen, rule.cap_fen, rule.subsidy_fen):
        if amount is not None and amount > MOST_FEN:
            refuse(FIELD, "an amount is at most 10,000,000 yuan", "金额超出范围")
    if rule.cap_fen is not None and rule.cap_fen < max(rule.floor_fen, 1):
        refuse(FIELD, "a cap is more than nothing and not below the floor", "上限不能低于下限")
    if rule.per_use_fen is not None and (rule.floor_fen or rule.cap_fen is not None):
        refuse(FIELD, "a fixed amount has no floor and no cap", "固定金额不能再写上下限")
    taken = rule.fee_bps + (rule.platform_bps if rule.platform_by == Bearer.ENTITY else 0)
    given = rule.share_bps + (rule.platform_bps if rule.platform_by == Bearer.BRAND else 0)
    if rule.per_use_fen is None and (taken > rule.share_bps or given > EVERYTHING_BPS):
        refuse(FIELD, "shares and fees together are more than what was paid", "分成和费用合计超过 100%")


def _check_split(rule: SettlementRule, new: NewTerms, *, at: datetime) -> None:
    limit = PROVIDER_LIMITS.get(rule.split_through)
    if limit is None:
        refuse(FIELD, f"known providers are {', '.join(sorted(PROVIDER_LIMITS))}", "不认识的支付服务商")
    if rule.per_use_fen is not None or rule.floor_fen or rule.subsidy_fen or rule.share_bps > limit.most_bps:
        refuse(
            FIELD,
            f"{rule.split_through} pays others a share of at most {limit.most_bps} ten-thousandths",
            f"该支付服务商最多分账 {limit.most_bps / 100:g}%",
        )
    lasting = timedelta(days=new.usable_days or 0)
    if new.usable_until is not None:
        lasting = new.usable_until - at
    if lasting > timedelta(days=limit.most_days):
        refuse(
            FIELD,
            f"{rule.split_through} keeps money for others {limit.most_days} days, vouchers last longer",
            f"券的有效期超过该支付服务商的 {limit.most_days} 天分账期限",
        )
