"""Vouchers that somebody may still use, by their terms; and which terms can be met no more."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from config.kernel.ids import parse
from stores.models import Product, Store
from stores.queries.products import standing_in, substitutes_of
from vouchers.models import DealTerms, Voucher
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.frozen_terms import terms as frozen_terms
from vouchers.verdict import Terms

OPEN = (Voucher.Status.ISSUED, Voucher.Status.HELD)


@dataclass(frozen=True, slots=True)
class OpenTerms:
    """Terms with how many vouchers are open on them; ``can_be_met`` once what was asked about has happened."""

    terms: DealTerms
    open_vouchers: int
    can_be_met: bool


def open_vouchers(terms_ids: Collection[UUID]) -> QuerySet[Voucher]:
    """Vouchers with a use that is free or held, to count and to page by ``issued_at``."""
    return Voucher.objects.filter(terms_id__in=terms_ids, status__in=OPEN)


def on_product(product: Product) -> list[OpenTerms]:
    """
    Every terms that names the product as they are now, itself or through what it stands in for; newest first.

    ``can_be_met`` says whether what is left would do if the product were withdrawn without a substitute.
    """
    brand_id = product.brand_id
    substitutes = substitutes_of(brand_id)
    named = _standing_behind(product.id, substitutes)
    withdrawn = {*_withdrawn(brand_id), product.id}
    rows = _terms_of(brand_id)
    frozen = frozen_terms([row.id for row in rows])
    found = [row for row in rows if named & _products_of(row, frozen[row.id])]
    return _counted(
        (row, can_be_met(row, frozen[row.id], substitutes=substitutes, withdrawn=withdrawn)) for row in found
    )


def only_at(store: Store) -> list[OpenTerms]:
    """Terms that no store but this one honours any more, closed ones not counted; newest first."""
    left = Store.objects.filter(brand_id=store.brand_id).exclude(status=Store.Status.CLOSED).exclude(id=store.id)
    rows = _terms_of(store.brand_id)
    frozen = frozen_terms([row.id for row in rows])
    found = []
    for row in rows:
        accepting = accepting_stores(frozen[row.id])
        if accepting.filter(id=store.id).exists() and not accepting.filter(id__in=left).exists():
            found.append(row)
    return _counted((row, False) for row in found)


def can_be_met(
    row: DealTerms, now: Terms, *, substitutes: Mapping[UUID, Collection[UUID]], withdrawn: Collection[UUID]
) -> bool:
    """
    Whether the products that the terms name can still be served: every group of a package has as many as may
    be chosen, and of a scope that is only products one is left.

    ``now`` are the terms with their amendments, which widen the scope or name substitutes of their own;
    ``substitutes`` are the brand's.
    """

    def is_there(product_id: UUID) -> bool:
        taken = (product_id, *now.substitutes.get(product_id, ()))
        return any(standing_in(one, substitutes, withdrawn) for one in taken)

    for group in row.package_groups:
        products = [_named(item.get("product")) for item in group.get("items", ())]
        there = sum(product_id is None or is_there(product_id) for product_id in products)
        if there < group.get("choose", len(products)):
            return False
    scope = now.product_scope
    if scope.everything or scope.categories:
        return True
    return any(is_there(product_id) for product_id in scope.products - scope.except_products)


def count_by_terms(terms_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many vouchers are open on each; terms without one are not named."""
    return dict(open_vouchers(terms_ids).order_by("terms_id").values_list("terms_id").annotate(Count("id")))


def _counted(found: Iterable[tuple[DealTerms, bool]]) -> list[OpenTerms]:
    rows = list(found)
    counts = count_by_terms([row.id for row, _ in rows])
    return [OpenTerms(row, counts.get(row.id, 0), meets) for row, meets in rows]


def _terms_of(brand_id: UUID) -> list[DealTerms]:
    """A brand has hundreds; what they name is read here, not in SQL."""
    return list(
        DealTerms.objects.filter(deal__brand_id=brand_id).select_related("deal").order_by("-published_at", "-id")
    )


def _products_of(row: DealTerms, now: Terms) -> set[UUID]:
    """What the terms name, and what their amendments take instead of it."""
    items = [_named(item.get("product")) for group in row.package_groups for item in group.get("items", ())]
    named = {product_id for product_id in items if product_id} | now.product_scope.products
    return named.union(*(now.substitutes.get(product_id, ()) for product_id in named))


def _named(public_id: Any) -> UUID | None:
    """The product behind its public id; terms of an early form may name a product by words alone."""
    prefix = f"{Product.PREFIX}_"
    return parse(Product.PREFIX, public_id) if isinstance(public_id, str) and public_id.startswith(prefix) else None


def _standing_behind(product_id: UUID, substitutes: Mapping[UUID, Collection[UUID]]) -> set[UUID]:
    """The product, and every product whose place it takes."""
    behind = {product_id}
    while more := {one for one, instead in substitutes.items() if behind & set(instead)} - behind:
        behind |= more
    return behind


def _withdrawn(brand_id: UUID) -> set[UUID]:
    rows = Product.objects.filter(Q(withdrawn_at__isnull=False), brand_id=brand_id)
    return set(rows.values_list("id", flat=True))
