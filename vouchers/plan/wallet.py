"""
A cart and a wallet made ready for the search: lines in order, vouchers of one set of terms pooled.

Vouchers of the same terms act alike on the cart, so a plan is a number per pool. Which of them it takes follows:
forced ones, then those whose refund value is least, then the earliest expiry, the fewest vouchers, the smallest ids.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby

from vouchers.plan.extras import extra_fen
from vouchers.plan.model import ENTITLEMENTS, Choice, Item, Kind, Line, Scope, Terms, Use, Voucher

VoucherUse = tuple[Voucher, Use]


def covered_fen(item: Item, line: Line) -> int:
    """What ``item`` pays of one unit of a line that it takes."""
    covered = line.unit_fen - sum(extra_fen(asked, item.options) for asked in line.asked)
    return max(0, covered if item.up_to_fen is None else min(covered, item.up_to_fen))


@dataclass(slots=True)
class Pool:
    """Uses in the order in which a plan takes them; ``charge`` vouchers count for the deal, 0 is one a use."""

    uses: list[VoucherUse]
    cost_fen: list[int]  # of the first n: their refund value, less ``Wallet.forced_fen`` for each forced voucher
    runs: list[tuple[int, int]]  # cost and how many uses have it, the least first
    forced: int
    charge: int
    cards: list[Voucher] | None = None  # any ``charge`` of these may be opened: all their uses cost the same

    def rank(self, place: int) -> tuple[bool, int]:
        """What levels 0 and 1 see of a use."""
        return place >= self.forced, self.uses[place][1].refund_fen

    def charged(self, n: int) -> int:
        return (self.charge or n) if n else 0


NO_POOL = Pool([], [0], [], 0, 0)
Count = tuple["Offer", Pool, int]  # so many uses out of a pool


@dataclass(slots=True)
class Offer:
    """
    One set of terms, what of the cart it speaks of, and its vouchers; ``pools`` are alternatives.

    Below ``missing`` nothing is said of an offer that is of no use to the cart.
    """

    terms: Terms
    lines: tuple[int, ...]
    eligible_fen: int
    items: tuple[tuple[Item, Sequence[int | None]], ...]
    fits: tuple[int, ...]  # units in the cart that each item takes
    vouchers: list[Voucher]
    missing: list[Item] = field(default_factory=list)  # of which the cart has too few for one use

    choices: tuple[Choice, ...] = ()  # of items of which there are enough; where all must be taken, one choice each
    pools: list[Pool] = field(default_factory=list)
    cheap: list[Pool] = field(default_factory=list)  # those that no other is as cheap as for every number of uses
    widest: Pool = field(default_factory=lambda: NO_POOL)  # what no way to open cards is better than
    shares_its_deal: bool = False
    card_row: tuple[int | None, ...] | None = None  # what a use covers of one unit, where it is of one unit
    reach: int = 0  # uses at most
    per_use: int = 0  # fen a cash voucher takes at most
    least_cost: int = 0  # of one use
    least_refund: int = 0  # the same, forced or not
    gratis: int = 0  # uses that cost nothing
    mask: int = 0  # a bit for each of its lines


@dataclass(slots=True)
class Wallet:
    """``offers`` are those that could take something off this cart with nothing else applied, thresholds included."""

    lines: list[Line]
    unit_fen: list[int]
    quantity: list[int]
    total_fen: int
    forced: frozenset[str]
    forced_fen: int  # one forced voucher left out costs more than any plan without it
    offers: list[Offer] = field(default_factory=list)
    silent: list[Offer] = field(default_factory=list)  # usable here and now, and of no use to this cart
    by_key: dict[int, Offer] = field(default_factory=dict)
    looks: list[int] = field(default_factory=list)  # the same for lines of which every package and card says the same
    inside: dict[int, tuple[int, ...]] = field(default_factory=dict)  # by scope: the lines it takes in

    def taken_in(self, scope: Scope) -> tuple[int, ...]:
        """Most scopes of a real wallet name hundreds of products and none of the cart's: those are told apart first."""
        if id(scope) not in self.inside:
            is_far = (
                not scope.everything
                and scope.products.isdisjoint([line.product for line in self.lines])
                and scope.categories.isdisjoint([line.category for line in self.lines])
            )
            lines = () if is_far else tuple([i for i, line in enumerate(self.lines) if scope.takes_in(line)])
            self.inside[id(scope)] = lines
        return self.inside[id(scope)]


def wallet_of(
    lines: Sequence[Line], vouchers: Sequence[Voucher], forced: Collection[str], excluded: Collection[str]
) -> Wallet:
    ordered = sorted(lines, key=lambda line: line.id)
    assert len({line.id for line in ordered}) == len(ordered), "a line's id is its own"
    assert all(line.quantity > 0 and line.unit_fen >= 0 for line in ordered), "units are whole and cost 0 or more"
    assert len({v.id for v in vouchers}) == len(vouchers), "a voucher comes once"
    total_fen = sum([line.unit_fen * line.quantity for line in ordered])
    wallet = Wallet(
        lines=ordered,
        unit_fen=[line.unit_fen for line in ordered],
        quantity=[line.quantity for line in ordered],
        total_fen=total_fen,
        forced=frozenset(forced),
        forced_fen=total_fen + sum([use.refund_fen for v in vouchers for use in v.uses]) + 1,
    )
    held: dict[str, list[Voucher]] = {}
    for voucher in vouchers:
        if voucher.refusal is None and voucher.id not in excluded:
            held.setdefault(voucher.terms.id, []).append(voucher)
    deals = Counter([alike[0].terms.deal for alike in held.values()])
    for _, alike in sorted(held.items()):
        offer = _offer(wallet, alike)
        if _takes_something(wallet, offer):
            _pool_uses(wallet, offer, shares_its_deal=deals[offer.terms.deal] > 1)
            wallet.offers.append(offer)
        else:
            wallet.silent.append(offer)
    wallet.by_key = {id(offer): offer for offer in wallet.offers}
    covering = [offer for offer in (*wallet.offers, *wallet.silent) if is_entitlement(offer)]
    scopes = {offer.lines for offer in covering if 0 < len(offer.lines) < len(ordered)}
    tables = [covers for offer in covering for (_, covers), fits in zip(offer.items, offer.fits, strict=True) if fits]
    seen: dict[tuple[object, ...], int] = {}
    for i, fen in enumerate(wallet.unit_fen):
        look = (fen, *[covers[i] for covers in tables], *[i in scope for scope in scopes])
        wallet.looks.append(seen.setdefault(look, i))
    return wallet


def _offer(wallet: Wallet, vouchers: list[Voucher]) -> Offer:
    terms, unit_fen, quantity = vouchers[0].terms, wallet.unit_fen, wallet.quantity
    inside = wallet.taken_in(terms.scope)
    items: list[tuple[Item, Sequence[int | None]]] = []
    fits = []
    for choice in terms.choices:
        for item in choice.items:
            covers: list[int | None] = [None] * len(unit_fen)
            taken = wallet.taken_in(item.scope)
            for i in taken:
                covers[i] = covered_fen(item, wallet.lines[i])
            items.append((item, covers))
            fits.append(sum([quantity[i] for i in taken]))
    offer = Offer(
        terms=terms,
        lines=inside,
        eligible_fen=sum([unit_fen[i] * quantity[i] for i in inside]),
        items=tuple(items),
        fits=tuple(fits),
        vouchers=vouchers,
    )
    offer.missing = _missing_items(offer)
    return offer


def _pool_uses(wallet: Wallet, offer: Offer, *, shares_its_deal: bool) -> None:
    terms, vouchers, eligible_fen = offer.terms, offer.vouchers, offer.eligible_fen
    offer.choices = tuple(_open_choices(offer))
    pools = sorted(_pools(vouchers, wallet, shares_its_deal=shares_its_deal), key=lambda pool: -len(pool.uses))
    offer.pools, offer.cheap, offer.shares_its_deal = pools, _cheap(pools), shares_its_deal
    offer.widest = offer.cheap[0] if len(offer.cheap) == 1 else _pool(vouchers, wallet, charge=len(vouchers))
    if len(terms.choices) == 1 and terms.choices[0].choose == 1 and all(item.count == 1 for item, _ in offer.items):
        rows = zip(*[covers for _, covers in offer.items], strict=True)
        offer.card_row = tuple([max([fen for fen in of_line if fen], default=None) for of_line in rows])
    limit = None if terms.kind == Kind.TIMES_CARD else terms.max_per_order
    reach = min(len(pools[0].uses), len(vouchers) * 99 if limit is None else limit)
    if terms.kind == Kind.CASH:
        reach = min(reach, -(-eligible_fen // terms.face_fen) if terms.face_fen else 0)
    offer.reach = min([reach, *_most_uses(offer)])
    offer.per_use = min(terms.face_fen, eligible_fen)
    offer.least_cost = min([pool.runs[0][0] for pool in pools])
    offer.least_refund = min([use.refund_fen for voucher in vouchers for use in voucher.uses])
    offer.gratis = min(offer.reach, sum([n for cost, n in pools[0].runs if cost <= 0]))
    offer.mask = sum([1 << i for i in offer.lines])


def _by_choice(offer: Offer) -> Iterator[tuple[Choice, list[tuple[Item, int]]]]:
    """Each choice with how many units of the cart each of its items takes."""
    at = 0
    for choice in offer.terms.choices:
        yield choice, list(zip(choice.items, offer.fits[at : at + len(choice.items)], strict=True))
        at += len(choice.items)


def _open_choices(offer: Offer) -> Iterator[Choice]:
    for choice, fits in _by_choice(offer):
        items = tuple([item for item, units in fits if units >= item.count])
        if len(items) == choice.choose:
            yield from [Choice(1, (item,)) for item in items]
        else:
            yield Choice(choice.choose, items)


def _most_uses(offer: Offer) -> Iterator[int]:
    """How many uses the units in the cart are enough for, choice by choice."""
    for choice, fits in _by_choice(offer):
        yield sum([units // item.count for item, units in fits]) // choice.choose


def _takes_something(wallet: Wallet, offer: Offer) -> bool:
    terms = offer.terms
    if terms.max_per_order == 0 or offer.eligible_fen < terms.min_spend_fen:
        return False
    return not offer.missing if is_entitlement(offer) else alone_fen(wallet, offer) > 0


def alone_fen(wallet: Wallet, offer: Offer) -> int:
    """The most that one use takes off the whole cart, thresholds aside."""
    terms = offer.terms
    if is_entitlement(offer):
        if offer.missing:
            return 0
        covers, fen = iter([covers for _, covers in offer.items]), 0
        for choice in terms.choices:
            worths = sorted([item.count * max([f for f in next(covers) if f], default=0) for item in choice.items])
            fen += sum(worths[-choice.choose :])
        return fen
    if terms.kind == Kind.CASH:
        return min(terms.face_fen, offer.eligible_fen)
    off = sum([wallet.unit_fen[i] * wallet.quantity[i] * terms.rate_bps // 10_000 for i in offer.lines])
    return off if terms.cap_fen is None else min(off, terms.cap_fen)


def _missing_items(offer: Offer) -> list[Item]:
    """Items of which the cart has too few units for one use, each looked at alone; in every choice the nearest ones."""
    missing: list[Item] = []
    for choice, fits in _by_choice(offer):
        short = sorted([(item.count - units, at) for at, (item, units) in enumerate(fits)])
        missing += [fits[at][0] for lack, at in short[: choice.choose] if lack > 0]
    return missing


def _pools(vouchers: list[Voucher], wallet: Wallet, *, shares_its_deal: bool) -> Iterator[Pool]:
    terms = vouchers[0].terms
    if terms.kind != Kind.TIMES_CARD:
        yield _pool(vouchers, wallet, charge=0)
        return
    most = min(len(vouchers), len(vouchers) if terms.max_per_order is None else terms.max_per_order)
    refunds = {use.refund_fen for card in vouchers for use in card.uses}
    is_plain = len(refunds) == 1 and not any(card.id in wallet.forced for card in vouchers)
    longest = sorted(vouchers, key=lambda v: (-len(v.uses), v.expires_at, v.id))
    alike: dict[tuple[object, ...], list[Voucher]] = {}
    for card in sorted(vouchers, key=lambda v: (v.expires_at, v.id)):
        look = (card.id in wallet.forced, *sorted(use.refund_fen for use in card.uses))
        alike.setdefault(look, []).append(card)
    for opened in range(most, 0 if shares_its_deal else most - 1, -1):
        if is_plain:
            yield _pool(longest[:opened], wallet, charge=opened, cards=vouchers)
            continue
        for cards in _prefixes(list(alike.values()), opened):
            yield _pool(cards, wallet, charge=opened)


def _cheap(pools: list[Pool]) -> list[Pool]:
    if len(pools) == 1:
        return pools
    cheap: list[Pool] = []
    for pool in sorted(pools, key=lambda pool: (pool.charge, -len(pool.uses))):
        costs = pool.cost_fen
        if not any(
            len(other.uses) >= len(pool.uses) and all(map(int.__le__, other.cost_fen, costs)) for other in cheap
        ):
            cheap.append(pool)
    return cheap


def _prefixes(stacks: list[list[Voucher]], n: int) -> Iterator[list[Voucher]]:
    """Every way to take ``n`` cards from the tops of the stacks."""
    if n == 0 or sum(map(len, stacks)) <= n:
        if n == 0 or sum(map(len, stacks)) == n:
            yield [card for stack in stacks for card in stack[:n]]
        return
    for taken in range(min(n, len(stacks[0])), -1, -1):
        for others in _prefixes(stacks[1:], n - taken):
            yield stacks[0][:taken] + others


def _pool(vouchers: list[Voucher], wallet: Wallet, *, charge: int, cards: list[Voucher] | None = None) -> Pool:
    uses: list[tuple[bool, Voucher, Use]] = []
    n_forced = 0
    for voucher in vouchers:
        is_forced = voucher.id in wallet.forced
        n_forced += is_forced
        first = min(voucher.uses, key=lambda use: (use.refund_fen, use.serial)) if is_forced else None
        uses += [(use is not first, voucher, use) for use in voucher.uses]
    if len(uses) > 1:
        uses.sort(key=lambda u: (u[0], u[2].refund_fen, u[1].expires_at, u[1].id, u[2].serial))
    costs = [use.refund_fen - (0 if is_free else wallet.forced_fen) for is_free, _, use in uses]
    return Pool(
        uses=[(voucher, use) for _, voucher, use in uses],
        cost_fen=list(accumulate(costs, initial=0)),
        runs=[(cost, len(list(alike))) for cost, alike in groupby(costs)],
        forced=n_forced,
        charge=charge,
        cards=cards,
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
    if pool.cards is not None:
        return _pick_of_any_cards(pool.cards, n, pool.charge)

    def rank(place: int) -> tuple[object, ...]:
        return (*pool.rank(place), pool.uses[place][0].expires_at)

    first = next(place for place in range(n) if rank(place) == rank(n - 1))
    last = next((place for place in range(n, len(pool.uses)) if rank(place) != rank(n - 1)), len(pool.uses))
    by_card = [list(uses) for _, uses in groupby(pool.uses[first:last], key=lambda use: use[0].id)]  # in id order
    return pool.uses[:first] + _from_fewest(by_card, n - first, {voucher.id for voucher, _ in pool.uses[:first]})


def _pick_of_any_cards(cards: Sequence[Voucher], n: int, most: int) -> list[VoucherUse]:
    """``n`` uses that cost the same, of ``most`` cards: as many as can be of each expiry in turn, of the fewest."""
    picked: list[VoucherUse] = []
    ordered = sorted(cards, key=lambda card: (card.expires_at, card.id))
    later = sorted([len(card.uses) for card in ordered], reverse=True)
    for _, group in groupby(ordered, key=lambda card: card.expires_at):
        alike = list(group)
        sizes = sorted([len(card.uses) for card in alike], reverse=True)
        for size in sizes:
            later.remove(size)
        wanted, best, opened = n - len(picked), 0, 0
        for k in range(min(most, len(sizes)) + 1):
            here = min(wanted, sum(sizes[:k]))
            if here > best and wanted - here <= sum(later[: most - k]):
                best, opened = here, k
        most -= opened
        if best:
            by_card = [
                [(card, use) for use in sorted(card.uses, key=lambda use: (use.refund_fen, use.serial))]
                for card in alike
            ]
            picked += _from_fewest(by_card, best, set())
    return picked


def _from_fewest(by_card: list[list[VoucherUse]], wanted: int, opened: set[str]) -> list[VoucherUse]:
    """So many uses of cards in the order of their ids: of the fewest that are not opened yet, then the smallest ids."""
    picked: list[VoucherUse] = []
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
        picked += uses[:taken]
        wanted, allowed = wanted - taken, allowed - is_fresh
        if not wanted:
            break
    return picked


def is_entitlement(offer: Offer) -> bool:
    return offer.terms.kind in ENTITLEMENTS
