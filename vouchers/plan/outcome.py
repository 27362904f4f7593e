"""What was found, line by line and use by use, and why the rest stays in the wallet."""

from collections.abc import Collection, Sequence

from vouchers.plan.found import Found, Units
from vouchers.plan.model import AppliedUse, Kind, LeftOut, PlannedLine, Voucher
from vouchers.plan.pricing import take_all
from vouchers.plan.wallet import Offer, Wallet, alone_fen, is_entitlement

# Codes of vouchers/errors.py, and those that only a plan knows.
MIN_SPEND_NOT_REACHED = "min_spend_not_reached"
TOO_MANY_OF_ONE_DEAL = "too_many_of_one_deal"
VOUCHERS_DO_NOT_COMBINE = "vouchers_do_not_combine"
EXCLUDED = "excluded_by_customer"
NO_ELIGIBLE_ITEM = "no_eligible_item"
PACKAGE_INCOMPLETE = "package_incomplete"
NOTHING_LEFT_TO_PAY = "nothing_left_to_pay"
NOT_WORTH_IT = "not_worth_it"


def applied_uses(wallet: Wallet, found: Found) -> tuple[AppliedUse, ...]:
    """Every use with the fen it takes off each line, packages and cards first."""
    ids = [line.id for line in wallet.lines]
    covered = [n - left for n, left in zip(wallet.quantity, found.uncovered, strict=True)]
    fills = list(found.fills)
    applied = []
    for offer, uses, took in found.picks():
        for place, (voucher, use) in enumerate(uses):
            units: dict[int, int] = {}
            if is_entitlement(offer):
                fill = next(fill for fill in fills if fill[0] is offer)
                fills.remove(fill)
                off = _cover(fill[1], found.classes, covered, units)
            else:
                off = {i: fen for i, fen in took[place] if fen}
            applied.append(
                AppliedUse(
                    voucher_id=voucher.id,
                    serial=use.serial,
                    refund_fen=use.refund_fen,
                    off_fen={ids[i]: fen for i, fen in sorted(off.items())},
                    units={ids[i]: n for i, n in sorted(units.items())},
                )
            )
    return tuple(applied)


def _cover(
    by_class: Units, classes: Sequence[Sequence[int]], covered: list[int], units: dict[int, int]
) -> dict[int, int]:
    """Hand the use its units out of those the plan covers; ``units`` and ``covered`` are brought up to date."""
    off: dict[int, int] = {}
    for at, fen in by_class:
        line = next(i for i in classes[at] if covered[i])
        covered[line] -= 1
        units[line] = units.get(line, 0) + 1
        off[line] = off.get(line, 0) + fen
    return off


def planned_lines(wallet: Wallet, applied: Collection[AppliedUse]) -> tuple[PlannedLine, ...]:
    lines = []
    for line in wallet.lines:
        total = line.unit_fen * line.quantity
        covered = sum(use.off_fen.get(line.id, 0) for use in applied if use.units)
        off = sum(use.off_fen.get(line.id, 0) for use in applied if not use.units)
        assert covered + off <= total
        lines.append(PlannedLine(line.id, total, covered, off, total - covered - off))
    return tuple(lines)


def left_out(
    wallet: Wallet, found: Found, vouchers: Sequence[Voucher], excluded: Collection[str]
) -> tuple[LeftOut, ...]:
    """One reason for every voucher that the plan leaves, in the order in which they came."""
    used = {voucher.id for _, uses, _ in found.picks() for voucher, _ in uses}
    of_terms: dict[str, tuple[str, dict[str, object]]] = {}
    offers = {offer.terms.id: offer for offer in (*wallet.offers, *wallet.silent)}
    alone = {terms_id: alone_fen(wallet, offer) for terms_id, offer in offers.items()}
    left = []
    for voucher in vouchers:
        if voucher.id in used:
            continue
        offer = offers.get(voucher.terms.id)
        saves = 0
        if voucher.refusal is not None:
            code, details = voucher.refusal.code, dict(voucher.refusal.details)
        elif voucher.id in excluded or offer is None:
            code, details = EXCLUDED, {}
        else:
            refund = min(use.refund_fen for use in voucher.uses)
            saves = max(0, alone[voucher.terms.id] - refund)
            if voucher.terms.id not in of_terms:
                of_terms[voucher.terms.id] = _reason(wallet, found, offer)
            code, details = of_terms[voucher.terms.id]
            if code == NOT_WORTH_IT:
                details = {**details, "refund_fen": refund}
        left.append(LeftOut(voucher.id, code, details, saves))
    return tuple(left)


def _reason(wallet: Wallet, found: Found, offer: Offer) -> tuple[str, dict[str, object]]:
    terms = offer.terms
    if is_entitlement(offer):
        missing = offer.missing
        if missing and terms.kind == Kind.PACKAGE:
            names = [sorted(item.scope.products) or sorted(item.scope.categories) for item in missing]
            return PACKAGE_INCOMPLETE, {"missing": names, "counts": [item.count for item in missing]}
        if missing:
            return NO_ELIGIBLE_ITEM, {}
    elif not offer.eligible_fen:
        return NO_ELIGIBLE_ITEM, {}
    group = next((o.terms.stacking_group for o, _, _ in found.counts if o.terms.stacking_group), "")
    if terms.stacking_group and group and terms.stacking_group != group:
        return VOUCHERS_DO_NOT_COMBINE, {"stacking_group": terms.stacking_group, "used_group": group}
    same_deal = [(o, len({v.id for v, _ in uses})) for o, uses, _ in found.picks() if o.terms.deal == terms.deal]
    limits = [o.terms.max_per_order for o in (offer, *(o for o, _ in same_deal)) if o.terms.max_per_order is not None]
    if limits and sum(n for _, n in same_deal) >= min(limits):
        return TOO_MANY_OF_ONE_DEAL, {"max_per_order": min(limits)}
    subtotal = sum(wallet.unit_fen[i] * found.uncovered[i] for i in offer.lines)
    if subtotal < terms.min_spend_fen:
        details = {"min_spend_fen": terms.min_spend_fen, "missing_fen": terms.min_spend_fen - subtotal}
        if offer.eligible_fen >= terms.min_spend_fen:
            details["missing_before_packages_and_cards_fen"] = 0
        return MIN_SPEND_NOT_REACHED, dict(details)
    return _comparison(wallet, found, offer)


def _comparison(wallet: Wallet, found: Found, offer: Offer) -> tuple[str, dict[str, object]]:
    """What the plan would be due with one more of these."""
    if is_entitlement(offer):
        free = [n if any(c[i] for _, c in offer.items) else 0 for i, n in enumerate(found.uncovered)]
        if not any(free):
            return NOTHING_LEFT_TO_PAY, {}
        return NOT_WORTH_IT, {"due_fen": found.due_fen}
    counts = [(o, n) for o, _, n in found.counts if not is_entitlement(o)]
    if all(o is not offer for o, _ in counts):
        counts.append((offer, 0))
    more = [(o, n + (o is offer)) for o, n in counts]
    more.sort(key=lambda used: (used[0].terms.kind == Kind.DISCOUNT, used[0].terms.id))
    left = [fen * n for fen, n in zip(wallet.unit_fen, found.uncovered, strict=True)]
    if take_all(more, left) is None:
        return NOTHING_LEFT_TO_PAY, {}
    return NOT_WORTH_IT, {"due_fen": found.due_fen, "due_with_it_fen": sum(left) + found.on_top_fen}
