"""
A cart and a wallet made ready for the search: lines in order, vouchers of one set of terms pooled.

Vouchers of the same terms act alike on the cart, so a plan is a number per pool. Which of them it takes follows:
forced ones, then those whose refund value is least, then the earliest expiry, the fewest vouchers, the smallest ids.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from vouchers.plan.extras import extra_fen
from vouchers.plan.model import ENTITLEMENTS, Item, Kind, Line, Terms, Use, Voucher

VoucherUse = tuple[Voucher, Use]


def covered_fen(item: Item, line: Line) -> int | None:
    """What ``item`` pays of one unit of the line, or None where it does not take it."""
    if not item.scope.takes_in(line):
        return None
    covered = line.unit_fen - sum(extra_fen(asked, item.options) for asked in line.asked)
    return max(0, covered if item.up_to_fen is None else min(covered, item.up_to_fen))


@dataclass(slots=True)
class Pool:
    """Uses in the order in which a plan takes them; ``charge`` vouchers count for the deal, 0 is one a use."""

    uses: list[VoucherUse]
    refund_fen: list[int]  # of the first n
    runs: list[tuple[int, int]]  # refund value and how many uses have it, the least first
    forced: int
    charge: int

    def rank(self, place: int) -> tuple[bool, int]:
        """What levels 0 and 1 see of a use."""
        return place >= self.forced, self.uses[place][1].refund_fen

    def charged(self, n: int) -> int:
        return (self.charge or n) if n else 0


Count = tuple["Offer", Pool, int]  # so many uses out of a pool


@dataclass(slots=True)
class Offer:
    """One set of terms, what of the cart it speaks of, and its vouchers; ``pools`` are alternatives."""

    terms: Terms
    lines: tuple[int, ...]
    eligible_fen: int
    items: tuple[tuple[Item, tuple[int | None, ...]], ...]
    pools: list[Pool]
    vouchers: list[Voucher]

    limit: int | None  # of uses in one order, where the terms set one
    is_partial: bool  # a cash voucher that touches part of the cart only
    shares_its_deal: bool


@dataclass(slots=True)
class Wallet:
    """``offers`` are those that could take something off this cart with nothing else applied, thresholds included."""

    lines: list[Line]
    unit_fen: list[int]
    quantity: list[int]
    total_fen: int
    forced: frozenset[str]
    offers: list[Offer]
    silent: list[Offer]  # usable here and now, and of no use to this cart
    looks: list[tuple[object, ...]]  # of each line: its price and what every package and card here says of it


def wallet_of(
    lines: Sequence[Line], vouchers: Sequence[Voucher], forced: Collection[str], excluded: Collection[str]
) -> Wallet:
    ordered = sorted(lines, key=lambda line: line.id)
    assert len({line.id for line in ordered}) == len(ordered), "a line's id is its own"
    assert all(line.quantity > 0 and line.unit_fen >= 0 for line in ordered), "units are whole and cost 0 or more"
    assert len({v.id for v in vouchers}) == len(vouchers), "a voucher comes once"
    wallet = Wallet(
        lines=ordered,
        unit_fen=[line.unit_fen for line in ordered],
        quantity=[line.quantity for line in ordered],
        total_fen=sum(line.unit_fen * line.quantity for line in ordered),
        forced=frozenset(forced),
        offers=[],
        silent=[],
        looks=[],
    )
    held: dict[str, list[Voucher]] = {}
    for voucher in vouchers:
        if voucher.refusal is None and voucher.id not in excluded:
            held.setdefault(voucher.terms.id, []).append(voucher)
    deals = Counter(alike[0].terms.deal for alike in held.values())
    for _, alike in sorted(held.items()):
        offer = _offer(wallet, alike, shares_its_deal=deals[alike[0].terms.deal] > 1)
        (wallet.offers if _takes_something(wallet, offer) else wallet.silent).append(offer)
    covering = [offer for offer in (*wallet.offers, *wallet.silent) if is_entitlement(offer)]
    scopes = [set(offer.lines) for offer in covering]
    tables = [covers for offer in covering for _, covers in offer.items]
    wallet.looks = [
        (fen, *(covers[i] for covers in tables), *(i in scope for scope in scopes))
        for i, fen in enumerate(wallet.unit_fen)
    ]
    return wallet


def _offer(wallet: Wallet, vouchers: list[Voucher], *, shares_its_deal: bool) -> Offer:
    terms = vouchers[0].terms
    inside = tuple(i for i, line in enumerate(wallet.lines) if terms.scope.takes_in(line))
    return Offer(
        terms=terms,
        lines=inside,
        eligible_fen=sum(wallet.unit_fen[i] * wallet.quantity[i] for i in inside),
        items=tuple(
            (item, tuple(covered_fen(item, line) for line in wallet.lines))
            for choice in terms.choices
            for item in choice.items
        ),
        pools=sorted(
            _pools(vouchers, wallet.forced, shares_its_deal=shares_its_deal), key=lambda pool: -len(pool.uses)
        ),
        vouchers=vouchers,
        limit=None if terms.kind == Kind.TIMES_CARD else terms.max_per_order,
        is_partial=terms.kind == Kind.CASH and len(inside) < len(wallet.lines),
        shares_its_deal=shares_its_deal,
    )


def _takes_something(wallet: Wallet, offer: Offer) -> bool:
    terms = offer.terms
    if terms.max_per_order == 0 or offer.eligible_fen < terms.min_spend_fen:
        return False
    if terms.kind == Kind.CASH:
        return min(terms.face_fen, offer.eligible_fen) > 0
    if terms.kind == Kind.DISCOUNT:
        off = sum(wallet.unit_fen[i] * wallet.quantity[i] * terms.rate_bps // 10_000 for i in offer.lines)
        return min(off, off if terms.cap_fen is None else terms.cap_fen) > 0
    return not missing_items(wallet, offer)


def missing_items(wallet: Wallet, offer: Offer) -> list[Item]:
    """Items of which the cart has too few units for one use, each looked at alone; in every choice the nearest ones."""
    missing: list[Item] = []
    table = {id(item): covers for item, covers in offer.items}
    for choice in offer.terms.choices:
        short = [
            (
                item.count - sum(q for q, fen in zip(wallet.quantity, table[id(item)], strict=True) if fen is not None),
                item,
            )
            for item in choice.items
        ]
        short.sort(key=lambda lack: lack[0])
        missing += [item for lack, item in short[: choice.choose] if lack > 0]
    return missing


def _pools(vouchers: list[Voucher], forced: frozenset[str], *, shares_its_deal: bool) -> Iterator[Pool]:
    terms = vouchers[0].terms
    if terms.kind != Kind.TIMES_CARD:
        yield _pool(vouchers, forced, charge=0)
        return
    most = min(len(vouchers), len(vouchers) if terms.max_per_order is None else terms.max_per_order)
    alike: dict[tuple[object, ...], list[Voucher]] = {}
    for card in sorted(vouchers, key=lambda v: (v.expires_at, v.id)):
        look = (card.id in forced, *sorted(use.refund_fen for use in card.uses))
        alike.setdefault(look, []).append(card)
    for opened in range(most, 0 if shares_its_deal else most - 1, -1):
        for cards in _prefixes(list(alike.values()), opened):
            yield _pool(cards, forced, charge=opened)


def _prefixes(stacks: list[list[Voucher]], n: int) -> Iterator[list[Voucher]]:
    """Every way to take ``n`` cards from the tops of the stacks."""
    if not stacks:
        if n == 0:
            yield []
        return
    for taken in range(min(n, len(stacks[0])), -1, -1):
        for others in _prefixes(stacks[1:], n - taken):
            yield stacks[0][:taken] + others


def _pool(vouchers: list[Voucher], forced: frozenset[str], *, charge: int) -> Pool:
    uses: list[tuple[bool, Voucher, Use]] = []
    n_forced = 0
    for voucher in vouchers:
        is_forced = voucher.id in forced
        n_forced += is_forced
        for place, use in enumerate(sorted(voucher.uses, key=lambda use: (use.refund_fen, use.serial))):
            uses.append((not (is_forced and place == 0), voucher, use))
    uses.sort(key=lambda u: (u[0], u[2].refund_fen, u[1].expires_at, u[1].id, u[2].serial))
    return Pool(
        uses=[(voucher, use) for _, voucher, use in uses],
        refund_fen=list(accumulate((use.refund_fen for _, _, use in uses), initial=0)),
        runs=sorted(Counter(use.refund_fen for _, _, use in uses).items()),
        forced=n_forced,
        charge=charge,
    )


def pick(offer: Offer, pool: Pool, n: int, taken_fen: int) -> list[VoucherUse]:
    """
    The ``n`` uses of the pool that a plan takes: least refund value first, then what levels 3 to 6 prefer.

    ``taken_fen`` is what they take together, which says whether the last cash voucher of them is clipped.
    """
    if offer.terms.kind == Kind.TIMES_CARD:
        return _pick_of_cards(pool, n)
    chosen = pool.uses[:n]
    if offer.terms.kind == Kind.CASH and taken_fen < n * offer.terms.face_fen and all(v.is_prepaid for v, _ in chosen):
        # The clipped one should be one that cost nothing, where that gives up no refund and no forced voucher.
        for place in range(n, len(pool.uses)):
            if pool.rank(place) == pool.rank(n - 1) and not pool.uses[place][0].is_prepaid:
                return [*chosen[:-1], pool.uses[place]]
    return chosen


def _pick_of_cards(pool: Pool, n: int) -> list[VoucherUse]:
    """Among uses that are equal up to their expiry: from the fewest cards, of those the smallest ids."""

    def rank(place: int) -> tuple[object, ...]:
        return (*pool.rank(place), pool.uses[place][0].expires_at)

    first = next(place for place in range(n) if rank(place) == rank(n - 1))
    last = next((place for place in range(n, len(pool.uses)) if rank(place) != rank(n - 1)), len(pool.uses))
    sure, wanted = pool.uses[:first], n - first
    by_card = [list(uses) for _, uses in groupby(pool.uses[first:last], key=lambda use: use[0].id)]  # in id order
    opened = {voucher.id for voucher, _ in sure}
    fresh = sorted((len(uses) for uses in by_card if uses[0][0].id not in opened), reverse=True)
    from_opened = sum(len(uses) for uses in by_card if uses[0][0].id in opened)
    allowed = next(k for k in range(len(fresh) + 1) if from_opened + sum(fresh[:k]) >= wanted)
    for place, uses in enumerate(by_card):
        is_fresh = uses[0][0].id not in opened
        later = by_card[place + 1 :]
        sizes = sorted((len(u) for u in later if u[0][0].id not in opened), reverse=True)
        reach = sum(len(u) for u in later if u[0][0].id in opened)
        if is_fresh and (allowed == 0 or wanted - len(uses) > reach + sum(sizes[: allowed - 1])):
            continue
        taken = min(len(uses), wanted)
        sure, wanted, allowed = sure + uses[:taken], wanted - taken, allowed - is_fresh
        if not wanted:
            break
    return sure


def is_entitlement(offer: Offer) -> bool:
    return offer.terms.kind in ENTITLEMENTS
