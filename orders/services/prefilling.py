"""A cart to begin with: what a voucher pays for on one store's menu, so that it can be quoted and ordered as it is."""

from collections import Counter
from collections.abc import Collection, Iterable
from uuid import UUID

from orders.services.quoting import MOST_UNITS, CartLine
from stores.queries import Menu, MenuGroup, MenuProduct
from vouchers.models import Deal
from vouchers.queries.plannable import package_choices
from vouchers.verdict import Terms


def prefilled(terms: Terms, menu: Menu) -> tuple[CartLine, ...]:
    """
    What the package holds, else a drink that the voucher pays for; and as much more as its minimum asks for.

    Of a choice the first that can be had. A question without a default gets its cheapest answer, unless another
    drink asks none: she may change everything. Empty where the menu has not enough.
    """
    cart = _Cart(menu)
    if terms.kind == Deal.Kind.PACKAGE:
        is_filled = all(cart.takes_of(items, choose) for choose, items in package_choices(terms))
        return cart.lines if is_filled and cart.reaches(terms.min_spend_fen, _eligible(terms, menu)) else ()
    paid_fen = cart.takes_first(_eligible(terms, menu))
    if paid_fen is None:
        return ()
    # What a card covers is no longer on the bill that its minimum reads.
    missing_fen = terms.min_spend_fen - (0 if terms.kind == Deal.Kind.TIMES_CARD else paid_fen)
    return cart.lines if cart.reaches(missing_fen, _eligible(terms, menu)) else ()


class _Cart:
    """Never more of a product than there is, nor than a line may have."""

    def __init__(self, menu: Menu) -> None:
        self._menu = menu
        self._taken: Counter[tuple[UUID, tuple[UUID, ...]]] = Counter()

    @property
    def lines(self) -> tuple[CartLine, ...]:
        return tuple(CartLine(product_id, options, count) for (product_id, options), count in self._taken.items())

    def takes_of(self, items: Iterable[tuple[UUID, Collection[UUID], int]], choose: int) -> bool:
        """The first ``choose`` of these products, with what they include, that can be had."""
        for product_id, included, count in items:
            if choose and (product := self._menu.find(product_id)) and self._take(product, count, included) is not None:
                choose -= 1
        return not choose

    def takes_first(self, products: Collection[MenuProduct]) -> int | None:
        """One of the first that can be had, for so many fen."""
        return next((fen for product in products if (fen := self._take(product, 1)) is not None), None)

    def reaches(self, missing_fen: int, products: Collection[MenuProduct]) -> bool:
        """With as many of these as it takes."""
        for product in products:
            options = _answers(product, ())
            if (
                missing_fen <= 0
                or options is None
                or not (fen := self._menu.choose(product.product_id, options).unit_fen)
            ):
                continue
            count = min(-(-missing_fen // fen), self._room(product, options))
            if count > 0 and self._take(product, count) is not None:
                missing_fen -= count * fen
        return missing_fen <= 0

    def _take(self, product: MenuProduct, count: int, included: Collection[UUID] = ()) -> int | None:
        """What so many of it cost; None where they cannot be had."""
        options = None if product.is_sold_out else _answers(product, included)
        if options is None or self._room(product, options) < count:
            return None
        self._taken[product.product_id, options] += count
        return count * self._menu.choose(product.product_id, options).unit_fen

    def _room(self, product: MenuProduct, options: tuple[UUID, ...]) -> int:
        room = MOST_UNITS - self._taken[product.product_id, options]
        if product.left is None:
            return room
        taken = sum(count for (product_id, _), count in self._taken.items() if product_id == product.product_id)
        return min(room, product.left - taken)


def _eligible(terms: Terms, menu: Menu) -> list[MenuProduct]:
    """Those that ask nothing first; otherwise in the menu's order."""
    counting = [product for product in menu.products if not product.is_sold_out and _counts(product, terms)]
    return sorted(counting, key=lambda product: _answers(product, ()) != ())


def _counts(product: MenuProduct, terms: Terms) -> bool:
    scope = terms.product_scope
    if product.product_id in scope.except_products:
        return False
    if scope.everything or product.product_id in scope.products:
        return True
    return not scope.categories.isdisjoint(product.categories)


def _answers(product: MenuProduct, included: Collection[UUID]) -> tuple[UUID, ...] | None:
    """What must be said besides the defaults; None where a question cannot be answered with what is there."""
    answers: list[UUID] = []
    for group in product.groups:
        named = [option for option in group.options if option.option_id in included]
        if not named and _has_defaults(group):
            continue
        there = [option for option in named or group.options if not option.is_sold_out]
        least = max(1, group.choose_least) if named else group.choose_least
        if len(there) < least:
            return None
        cheapest = sorted(there, key=lambda option: option.price_delta_fen)
        answers += [option.option_id for option in cheapest[:least]]
    return tuple(answers)


def _has_defaults(group: MenuGroup) -> bool:
    defaults = sum(option.is_default and not option.is_sold_out for option in group.options)
    return group.choose_least <= defaults <= group.choose_most
