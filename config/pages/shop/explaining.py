"""A plan in people's words: what each voucher does here, why one was kept back, and what it comes to."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.design.words import Language, say
from orders.services.quoting import Quote
from vouchers.models import Deal, Voucher
from vouchers.plan import outcome
from vouchers.plan.model import AppliedUse, LeftOut
from vouchers.queries.plannable import Owned
from vouchers.verdict import Terms

MOST_LEFT_OUT = 6


@dataclass(frozen=True)
class Applied:
    """Vouchers of one deal in the plan: what they take off, and half a reason."""

    title: str
    count: int
    off_fen: int
    why: str
    voucher: str
    is_forced: bool


@dataclass(frozen=True)
class Kept:
    """A voucher left out: why; ``is_for_you`` where using it would have been the worse deal."""

    title: str
    why: str
    voucher: str
    is_for_you: bool
    is_hers: bool


@dataclass(frozen=True)
class Explained:
    """``true_cost_fen`` is what the vouchers used would have given back; ``is_least`` only where it is proven."""

    applied: list[Applied]
    kept: list[Kept]
    off_fen: int
    used: int
    gives_up_fen: int
    is_least: bool
    costs_more_fen: int


def explain(
    quote: Quote, wallet: Mapping[UUID, Owned], *, language: Language, forced: set[UUID], best: Quote | None
) -> Explained:
    """``best`` is the plan without her own wishes, where she has any: what they cost is said."""
    plan = quote.plan
    more = 0
    if best is not None:
        more = max(0, plan.objective.cost_fen - best.plan.objective.cost_fen)
    return Explained(
        applied=_applied(quote, wallet, forced, language),
        kept=_kept(quote, wallet, language),
        off_fen=quote.priced.off_fen,
        used=len({one.voucher_id for one in plan.applied}),
        gives_up_fen=plan.refund_fen,
        is_least=quote.is_best and best is None,
        costs_more_fen=more,
    )


def _applied(quote: Quote, wallet: Mapping[UUID, Owned], forced: set[UUID], language: Language) -> list[Applied]:
    by_terms: defaultdict[UUID, list[AppliedUse]] = defaultdict(list)
    for one in quote.plan.applied:
        by_terms[wallet[_id(one.voucher_id)].terms.id].append(one)
    told = []
    for uses in by_terms.values():
        of = wallet[_id(uses[0].voucher_id)].terms
        off = sum(sum(use.off_fen.values()) for use in uses)
        is_forced = any(_id(use.voucher_id) in forced for use in uses)
        told.append(
            Applied(of.title, len(uses), off, _why(quote, uses, of, off, language), uses[0].voucher_id, is_forced)
        )
    return told


def _why(quote: Quote, uses: list[AppliedUse], of: Terms, off: int, language: Language) -> str:
    cups: defaultdict[str, int] = defaultdict(int)
    for use in uses:
        for line, count in use.units.items():
            cups[quote.priced.lines[int(line)].name] += count
    if cups:
        named = ("、" if language == "zh" else ", ").join(f"{name} ×{count}" for name, count in cups.items())
        return say("plan.why.covers", language, what=named)
    if of.min_spend_fen:
        return say("plan.why.reached", language, least=_yuan(of.min_spend_fen))
    if of.kind == Deal.Kind.CASH and of.face_value_fen and off < of.face_value_fen * len(uses):
        return say("plan.why.not_all", language, face=_yuan(of.face_value_fen * len(uses)), off=_yuan(off))
    if of.kind == Deal.Kind.DISCOUNT and of.discount_rate_bps:
        return say("plan.why.rate", language, percent=f"{of.discount_rate_bps / 100:g}")
    return say("plan.why.whole", language)


def _kept(quote: Quote, wallet: Mapping[UUID, Owned], language: Language) -> list[Kept]:
    """One line a deal, those kept for her first: a wallet of forty alike is not forty lines."""
    seen: dict[tuple[UUID, str], Kept] = {}
    for one in quote.plan.left_out:
        owned = wallet.get(_id(one.voucher_id))
        if owned is None or (key := (owned.terms.id, one.code)) in seen:
            continue
        seen[key] = Kept(
            title=owned.terms.title,
            why=_why_not(one, language),
            voucher=one.voucher_id,
            is_for_you=one.code == outcome.NOT_WORTH_IT,
            is_hers=one.code == outcome.EXCLUDED,
        )
    return sorted(seen.values(), key=lambda kept: (not kept.is_hers, not kept.is_for_you))[:MOST_LEFT_OUT]


def _why_not(left: LeftOut, language: Language) -> str:
    details: Mapping[str, Any] = left.details
    match left.code:
        case outcome.NOT_WORTH_IT if details.get("refund_fen") and "due_with_it_fen" in details:
            saves = details["due_fen"] - details["due_with_it_fen"]
            return say("plan.left.not_worth", language, saves=_yuan(saves), refund=_yuan(details["refund_fen"]))
        case outcome.NOT_WORTH_IT:
            return say("plan.left.better", language)
        case outcome.MIN_SPEND_NOT_REACHED:
            return say("plan.left.min_spend", language, missing=_yuan(details["missing_fen"]))
        case outcome.TOO_MANY_OF_ONE_DEAL:
            return say("plan.left.too_many", language, most=details["max_per_order"])
        case outcome.VOUCHERS_DO_NOT_COMBINE:
            return say("plan.left.combine", language)
        case outcome.NO_ELIGIBLE_ITEM:
            return say("plan.left.no_item", language)
        case outcome.PACKAGE_INCOMPLETE:
            return say("plan.left.package", language)
        case outcome.NOTHING_LEFT_TO_PAY:
            return say("plan.left.nothing", language)
        case outcome.EXCLUDED:
            return say("plan.left.excluded", language)
        case "wrong_store":
            return say("plan.left.store", language)
        case "voucher_held":
            return say("voucher.held", language)
    refusal = DomainError.registry.get(left.code)
    sentence = (refusal.en if language == "en" else refusal.zh) if refusal else ""
    # A verdict's refusal here has no details to fill blanks with.
    return sentence if sentence and "{" not in sentence else say("plan.left.not_now", language)


def _id(public_id: str) -> UUID:
    return parse(Voucher.PREFIX, public_id)


def _yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"
