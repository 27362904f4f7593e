"""
A substitute over the counter: what a package says has run out, and the clerk hands over what is offered instead.

The use is redeemed and settled as what the voucher says; stock is taken of the substitute, and who chose it is logged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from config.kernel.caller import Caller
from config.kernel.errors import DomainError
from config.kernel.ids import public
from stores.errors import SubstituteNotNeeded, SubstituteNotOffered
from stores.models import Product, Substitution
from stores.queries import StoreNow
from stores.queries.substitutes import OnShelf, Substitute, offered, shelves
from stores.services import substitutes
from stores.services.substitutes import Instead
from vouchers.models import Redemption
from vouchers.queries.plannable import certain_products
from vouchers.services.actors import Actor
from vouchers.verdict import Terms

Pairs = tuple[tuple[UUID, UUID], ...]
"""Products that have run out, each with what is handed over instead."""


@dataclass(frozen=True, slots=True)
class Replacing:
    """What a request hands over instead of what, with what the store has and offers; nothing where it asks for none."""

    pairs: Mapping[UUID, UUID] = field(default_factory=dict)
    shelves: Mapping[UUID, OnShelf] = field(default_factory=dict)
    offers: Mapping[UUID, Sequence[Substitute]] = field(default_factory=dict)

    def refusal(self, wanted: Counter[UUID]) -> DomainError | None:
        """Why not: ``wanted`` is what the vouchers say is handed over."""
        for product_id, substitute_id in self.pairs.items():
            shelf = self.shelves.get(product_id)
            if shelf is None or not wanted[product_id] or shelf.has(wanted[product_id]):
                name = shelf.name if shelf else ""
                return SubstituteNotNeeded(name=name, product=public(Product.PREFIX, product_id), param="instead")
            if substitute_id not in {one.product_id for one in self.offers[product_id]}:
                named = public(Product.PREFIX, substitute_id)
                return SubstituteNotOffered(name=named, product=named, param="instead")
        return None

    def handed_over(self, terms: Terms) -> Counter[UUID]:
        """What one use takes from the shelf."""
        taken: Counter[UUID] = Counter()
        for product_id, count in certain_products(terms).items():
            taken[self.pairs.get(product_id, product_id)] += count
        return taken

    def told(self) -> dict[str, list[list[str]]]:
        """What the trail says of it; nothing without a substitute."""
        named = [[public(Product.PREFIX, one) for one in pair] for pair in self.pairs.items()]
        return {"substitutes": named} if named else {}

    def chosen(self, terms: Terms) -> list[Instead]:
        """What of a use's products was replaced, with names."""
        names = {one.product_id: one.name for offers in self.offers.values() for one in offers}
        return [
            Instead(product_id, self.shelves[product_id].name, self.pairs[product_id], names[self.pairs[product_id]])
            for product_id in certain_products(terms)
            if product_id in self.pairs
        ]


NOTHING = Replacing()


def replacing(store: StoreNow, pairs: Pairs) -> Replacing:
    """What the store has of what is to be replaced, and offers instead; no statement where nothing is."""
    if not pairs:
        return NOTHING
    here, today = store.store_id, store.business_date
    asked = dict(pairs)
    found = shelves(store_id=here, today=today, product_ids=asked)
    offers = {one: offered(store_id=here, today=today, product_id=one, most=None) for one in asked}
    return Replacing(asked, found, offers)


def note(redemption: Redemption, chosen: Sequence[Instead], actor: Actor, *, at: datetime) -> None:
    """The log of one use. Runs inside the caller's transaction."""
    by = Caller(kind=actor.kind, id=actor.id)
    substitutes.note(
        store_id=redemption.store_id,
        source_kind=Substitution.Source.REDEMPTION,
        source_id=redemption.id,
        chosen=chosen,
        by=by,
        at=at,
    )
