"""
The best plan by plain enumeration, written from docs/plan.md alone. It shares the data classes that go in with
the solver and not a line of its code.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, combinations, product
from typing import Any

from vouchers.plan.model import Item, Line, Terms, Voucher

Levels = tuple[Any, ...]


def best_levels(
    lines: Sequence[Line], vouchers: Sequence[Voucher], forced: Collection[str] = (), excluded: Collection[str] = ()
) -> Levels:
    """Levels 0 to 6 of the best plan: forced left out, cost, due, wasted, expiries, vouchers, ids."""
    lines = sorted(lines, key=lambda line: line.id)
    free = [v for v in vouchers if v.refusal is None and v.id not in excluded]
    best: Levels | None = None
    for used in _selections(free):
        for levels in _levels_of(lines, used, free, forced):
            if best is None or levels < best:
                best = levels
    assert best is not None  # the plan that applies nothing is always one
    return best


Used = list[tuple[Voucher, tuple[int, ...]]]  # a voucher and the places of its uses


def _selections(vouchers: Sequence[Voucher]) -> Iterator[Used]:
    ways = [
        list(chain.from_iterable(combinations(range(len(v.uses)), n) for n in range(len(v.uses) + 1))) for v in vouchers
    ]
    for way in product(*ways):
        used = [(v, uses) for v, uses in zip(vouchers, way, strict=True) if uses]
        groups = {v.terms.stacking_group for v, _ in used} - {""}
        if len(groups) > 1:
            continue
        deals = [v.terms.deal for v, _ in used]
        if all(v.terms.max_per_order is None or deals.count(v.terms.deal) <= v.terms.max_per_order for v, _ in used):
            yield used


def _levels_of(lines: Sequence[Line], used: Used, free: Sequence[Voucher], forced: Collection[str]) -> Iterator[Levels]:
    refund = sum(v.uses[i].refund_fen for v, uses in used for i in uses)
    for uncovered, on_top in _coverings(lines, used):
        subtotals_hold = all(
            v.terms.min_spend_fen
            <= sum(line.unit_fen * n for line, n in zip(lines, uncovered, strict=True) if v.terms.scope.takes_in(line))
            for v, _ in used
        )
        if not subtotals_hold or not _is_canonical(lines, used, free, uncovered):
            continue
        left = [line.unit_fen * n for line, n in zip(lines, uncovered, strict=True)]
        wasted = 0
        everyone_takes = True
        for voucher in _in_order(used, "cash"):
            taken = _take_cash(lines, left, voucher.terms)
            everyone_takes &= taken > 0
            wasted += voucher.terms.face_fen - taken if voucher.is_prepaid else 0
        for voucher in _in_order(used, "discount"):
            everyone_takes &= _take_discount(lines, left, voucher.terms) > 0
        if everyone_takes:
            due = sum(left) + on_top
            ids = {v.id for v, _ in used}
            yield (
                len(set(forced) - ids),
                due + refund,
                due,
                wasted,
                tuple(sorted(v.expires_at for v, uses in used for _ in uses)),
                len(ids),
                tuple(sorted(v.id for v, uses in used for _ in uses)),
            )


def _in_order(used: Used, kind: str) -> list[Voucher]:
    return sorted((v for v, _ in used if v.terms.kind == kind), key=lambda v: (v.terms.id, not v.is_prepaid, v.id))


def _coverings(lines: Sequence[Line], used: Used) -> set[tuple[tuple[int, ...], int]]:
    """Every way in which the package and card uses cover units: what stays uncovered, and the fen paid on top."""
    ways = {(tuple(line.quantity for line in lines), 0)}
    for voucher, uses in used:
        if voucher.terms.kind in ("package", "times_card"):
            for _ in uses:
                ways = {
                    (left, top + more)
                    for before, top in ways
                    for left, more, off in _one_use(lines, before, voucher.terms)
                    if off
                }
    return ways


def _one_use(lines: Sequence[Line], uncovered: tuple[int, ...], terms: Terms) -> set[tuple[tuple[int, ...], int, int]]:
    ways = {(uncovered, 0, 0)}
    for choice in terms.choices:
        then = set()
        for items in combinations(choice.items, choice.choose):
            slots = [item for item in items for _ in range(item.count)]
            now = ways
            for item in slots:
                now = {
                    ((*left[:i], left[i] - 1, *left[i + 1 :]), top + line.unit_fen - covers, off + covers)
                    for left, top, off in now
                    for i, line in enumerate(lines)
                    if left[i] and (covers := _covers(item, line)) is not None
                }
            then |= now
        ways = then
    return ways


def _covers(item: Item, line: Line) -> int | None:
    if not item.scope.takes_in(line):
        return None
    without_extras = line.unit_fen
    for asked in line.asked:
        included = [option for option in asked.fen if option in item.options] or list(asked.usual)
        for option in asked.chosen:
            fen = 0 if option in included else asked.fen[option]
            if included and asked.takes_one:
                fen -= max(asked.fen[one] for one in included)
            if option not in included and fen > 0:
                without_extras -= fen
    if item.up_to_fen is not None and without_extras > item.up_to_fen:
        without_extras = item.up_to_fen
    return max(0, without_extras)


def _is_canonical(lines: Sequence[Line], used: Used, free: Sequence[Voucher], uncovered: tuple[int, ...]) -> bool:
    """
    Of alike lines those with the smaller ids are covered first. Alike: the same price, and every package and card
    of the wallet, and every cash voucher and discount of the plan, says the same of both.
    """
    covering = [v.terms for v in free if v.terms.kind in ("package", "times_card")]
    applied = [v.terms for v, _ in used if v.terms.kind in ("cash", "discount")]
    looks = [
        (
            line.unit_fen,
            tuple(terms.scope.takes_in(line) for terms in (*covering, *applied)),
            tuple(_covers(item, line) for terms in covering for choice in terms.choices for item in choice.items),
        )
        for line in lines
    ]
    return not any(
        looks[i] == looks[j] and uncovered[i] > 0 and uncovered[j] < lines[j].quantity
        for i, j in combinations(range(len(lines)), 2)
    )


def _take_cash(lines: Sequence[Line], left: list[int], terms: Terms) -> int:
    eligible = [left[i] if terms.scope.takes_in(line) else 0 for i, line in enumerate(lines)]
    take = min(terms.face_fen, sum(eligible))
    if take:
        for i, part in enumerate(_largest_remainder(take, eligible)):
            left[i] -= part
    return take


def _take_discount(lines: Sequence[Line], left: list[int], terms: Terms) -> int:
    off = [left[i] * terms.rate_bps // 10_000 if terms.scope.takes_in(line) else 0 for i, line in enumerate(lines)]
    if terms.cap_fen is not None and sum(off) > terms.cap_fen:
        off = _largest_remainder(terms.cap_fen, off)
    for i, part in enumerate(off):
        left[i] -= part
    return sum(off)


def _largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    parts, remainders = [], []
    for place, weight in enumerate(weights):
        quotient, remainder = divmod(total * weight, whole)
        parts.append(quotient)
        remainders.append((-remainder, place))
    for _, place in sorted(remainders)[: total - sum(parts)]:
        parts[place] += 1
    return parts
