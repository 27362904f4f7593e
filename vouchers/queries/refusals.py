"""A refusal with everything the person at the counter wants to know about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from config.kernel.errors import DomainError
from config.kernel.ids import public
from stores.models import Store
from stores.queries import StoreNow
from vouchers import errors
from vouchers.codes import masked
from vouchers.models import Redemption, Voucher
from vouchers.queries.facts import Story
from vouchers.queries.holders import held_by, holder_of
from vouchers.queries.whereabouts import Scope, Whereabouts, look_up
from vouchers.verdict import (
    Place,
    Refusal,
    Terms,
    VoucherFacts,
    rule_in_words,
    valid_until_of,
    why_not_here,
    why_not_then,
)


def explained(
    refusal: Refusal,
    *,
    code: str | None,
    position: int,
    voucher: Voucher | None,
    terms: Terms | None,
    story: Story,
    store: Place,
    bill_fen: int | None,
    at: datetime,
) -> DomainError:
    """
    The refusal of what stands at ``position`` of the request: the rule as a sentence, what it takes, who was first.

    ``code`` is what a clerk typed; a customer names her vouchers by their ids and gets none.
    """
    details: dict[str, Any] = {"position": position}
    if code is not None:
        details["code"] = masked(code)
    if voucher is not None and terms is not None:
        details |= {"voucher": voucher.public_id, "title": terms.title}
        details |= _facts(refusal, voucher, terms, story) | _rule(refusal, terms, store=store, at=at)
        if refusal in (errors.MinSpendNotReached, errors.BillAmountRequired):
            details |= {"min_spend_fen": terms.min_spend_fen, "bill_fen": bill_fen}
    named = "vouchers" if code is None else "codes"
    return refusal(param="bill_fen" if refusal is errors.BillAmountRequired else named, **details)


def explained_together(refusal: Refusal, terms: Terms, *, param: str) -> DomainError:
    """Why vouchers that are usable one by one are not in one order, by the terms that say so."""
    rule = "max_per_order" if refusal is errors.TooManyOfOneDeal else "stacking_group"
    return refusal(param=param, title=terms.title, max_per_order=terms.max_per_order, **_said(rule, terms))


def explained_at_the_refund_desk(refusal: Refusal, *, voucher: Voucher, terms: Terms) -> DomainError:
    """Why nothing of the voucher can be given back, with the same facts and sentences as at the counter."""
    rule = _said("refundable_unused", terms) if refusal is errors.VoucherNotRefundable else {}
    story = Story(holder=holder_of(voucher.id)) if refusal is errors.VoucherHeld else Story()
    return refusal(voucher=voucher.public_id, title=terms.title, **_facts(refusal, voucher, terms, story), **rule)


def refused_on_the_page(
    refusal: Refusal, terms: Terms, voucher: VoucherFacts, *, store: StoreNow, bill_fen: int | None, at: datetime
) -> DomainError:
    """Why a voucher bought now would not be honoured there, with the counter's sentences and the way on."""
    details: dict[str, Any] = {"title": terms.title, **_rule(refusal, terms, store=store, at=at)}
    if refusal in (errors.MinSpendNotReached, errors.BillAmountRequired):
        details |= {"min_spend_fen": terms.min_spend_fen, "bill_fen": bill_fen}
    if refusal is errors.VoucherNotYetValid:
        details["valid_from"] = voucher.valid_from.isoformat()
    if refusal is errors.VoucherExpired:
        details["valid_until"] = voucher.valid_until.isoformat()
    said = refusal(**details)
    if refusal is errors.WrongStore:
        with_nearest([(said, terms)], latitude=store.latitude, longitude=store.longitude, at=at)
    return said


def rule_broken(refusal: Refusal, terms: Terms, *, store: Place, at: datetime) -> str | None:
    """The name of the rule that refuses, as ``rules_in_words`` has it; None where it is the voucher's own state."""
    if refusal is errors.WrongStore:
        return why_not_here(terms, store=store)
    if refusal is errors.VoucherNotUsableNow:
        return why_not_then(terms, zone=store.zone, at=at)
    return "min_spend" if refusal is errors.MinSpendNotReached else None


def _rule(refusal: Refusal, terms: Terms, *, store: Place, at: datetime) -> dict[str, Any]:
    rule = rule_broken(refusal, terms, store=store, at=at)
    if rule is None:
        return {}
    # A scope's sentence needs names, and nobody waits for them under a lock: with_nearest says it.
    return {"rule": rule} if rule == "store_scope" else _said(rule, terms)


def _said(rule: str, terms: Terms) -> dict[str, Any]:
    sentence = rule_in_words(rule, terms, {})
    return {"rule": rule, "rule_zh": sentence.zh, "rule_en": sentence.en}


def _facts(refusal: Refusal, voucher: Voucher, terms: Terms, story: Story) -> dict[str, Any]:
    if refusal is errors.VoucherAlreadyRedeemed and (use := story.last_use):
        return {
            "uses_total": voucher.uses_total,
            "redemption": public(Redemption.PREFIX, use.redemption_id),
            "redeemed_at": use.redeemed_at.isoformat(),
            "store": public(Store.PREFIX, use.store_id),
            "store_name": use.store_name,
        }
    if refusal is errors.VoucherRefunded and story.refunding_at:
        return {"refunding_at": story.refunding_at.isoformat()}
    if refusal is errors.VoucherHeld:
        return held_by(story.holder)
    if refusal is errors.VoucherNotYetValid:
        return {"valid_from": voucher.valid_from.isoformat()}
    if refusal is errors.VoucherExpired:
        return {"valid_until": valid_until_of(voucher, terms).isoformat()}
    if refusal is errors.VoucherNotUsableNow:
        return {
            "weekdays": sorted(terms.weekdays),
            "day_spans": terms.spans_as_clocks,
            "blackout_dates": sorted(day.isoformat() for day in terms.blackout_dates),
        }
    return {}


def with_nearest(
    wrong: Sequence[tuple[DomainError, Terms]], *, latitude: float | None, longitude: float | None, at: datetime
) -> None:
    """
    Add to refusals of a wrong store the nearest that honour the voucher, and where it is honoured at all.

    No nearest where the store itself has no place. At most one statement for all of them.
    """
    if wrong:
        place = None if latitude is None or longitude is None else (latitude, longitude)
        found = look_up(products=(), terms=[terms for _, terms in wrong], place=place, at=at)
        for refusal, terms in wrong:
            show_the_way(refusal, terms, found)


def show_the_way(refusal: DomainError, terms: Terms, found: Whereabouts) -> None:
    """``with_nearest`` where everything has been looked up."""
    refusal.details["nearest"] = found.nearest[Scope.of(terms)]
    if refusal.details.get("rule") == "store_scope":
        rule = rule_in_words("store_scope", terms, {id_: zh for id_, (zh, _) in found.names.items()})
        refusal.details["rule_zh"], refusal.details["rule_en"] = rule.zh, rule.en
