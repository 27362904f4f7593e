"""What a store offers instead of a product that it has sold out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from config.kernel.ids import parse, public
from stores.errors import ProductSoldOut
from stores.models import Product, SoldOutSubstitute

MOST_OFFERED = 5

OFFERED = """
    WITH wanted AS (
        SELECT id, brand_id, categories, price_fen,
               EXISTS (SELECT FROM stores_soldoutsubstitute WHERE product_id = %(product_id)s) AS has_list
        FROM stores_product WHERE id = %(product_id)s
    ), candidate AS (
        SELECT substitute_id AS id, position AS place FROM stores_soldoutsubstitute WHERE product_id = %(product_id)s
        UNION ALL
        SELECT p.id, row_number() OVER (ORDER BY p.price_fen DESC, p.position, p.code)
        FROM wanted JOIN stores_product p ON p.brand_id = wanted.brand_id AND p.id <> wanted.id
            AND p.categories && wanted.categories AND p.price_fen <= wanted.price_fen
        WHERE NOT wanted.has_list
    )
    SELECT p.id, p.name, p.name_en FROM candidate
    JOIN stores_product p ON p.id = candidate.id AND p.is_sold AND p.withdrawn_at IS NULL
    LEFT JOIN stores_storeproduct here ON here.product_id = p.id AND here.store_id = %(store_id)s
    LEFT JOIN stores_stocklevel level ON level.product_id = p.id AND level.store_id = %(store_id)s
    LEFT JOIN stores_dailytally tally ON tally.product_id = p.id AND tally.store_id = %(store_id)s
        AND tally.business_date = %(today)s
    WHERE here.sold_out_at IS NULL
        AND coalesce(CASE level.mode WHEN 'counted' THEN level.on_hand - level.reserved
                                     WHEN 'daily_limit' THEN level.daily_limit - coalesce(tally.taken, 0) END, 1) > 0
    ORDER BY candidate.place LIMIT %(most)s
"""


SHELVES = """
    SELECT p.id, p.name, p.name_en, CASE WHEN here.sold_out_at IS NOT NULL THEN 0
        WHEN level.mode = 'counted' THEN level.on_hand - level.reserved
        WHEN level.mode = 'daily_limit' THEN level.daily_limit - coalesce(tally.taken, 0) END
    FROM stores_product p
    LEFT JOIN stores_storeproduct here ON here.product_id = p.id AND here.store_id = %(store_id)s
    LEFT JOIN stores_stocklevel level ON level.product_id = p.id AND level.store_id = %(store_id)s
    LEFT JOIN stores_dailytally tally ON tally.product_id = p.id AND tally.store_id = %(store_id)s
        AND tally.business_date = %(today)s
    WHERE p.id = ANY(%(product_ids)s)
"""


@dataclass(frozen=True, slots=True)
class OnShelf:
    """``left`` of a product at a store: none where it is switched off, None where nobody counts."""

    product_id: UUID
    name: str
    name_en: str
    left: int | None

    @property
    def public_id(self) -> str:
        return public(Product.PREFIX, self.product_id)

    def has(self, quantity: int) -> bool:
        return self.left is None or self.left >= quantity


@dataclass(frozen=True, slots=True)
class Substitute:
    """A product that the store has and offers instead."""

    product_id: UUID
    name: str
    name_en: str

    @property
    def public_id(self) -> str:
        return public(Product.PREFIX, self.product_id)


def offered(*, store_id: UUID, today: date, product_id: UUID, most: int | None = MOST_OFFERED) -> list[Substitute]:
    """
    What the store has now of head office's list, or without one, of the same categories at no higher list price.

    One statement.
    """
    asked: dict[str, Any] = {"store_id": store_id, "today": today, "product_id": product_id, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(OFFERED, asked)
        return [Substitute(*row) for row in cursor.fetchall()]


def shelves(*, store_id: UUID, today: date, product_ids: Collection[UUID]) -> dict[UUID, OnShelf]:
    """What the store has of these products now; one statement."""
    asked: dict[str, Any] = {"store_id": store_id, "today": today, "product_ids": list(product_ids)}
    with connection.cursor() as cursor:
        cursor.execute(SHELVES, asked)
        return {row[0]: OnShelf(*row) for row in cursor.fetchall()}


def offering(refusal: ProductSoldOut, *, store_id: UUID, today: date) -> ProductSoldOut:
    """The refusal with what there is instead; where an option is what is missing there is nothing instead."""
    named = refusal.details.get("product")
    found = offered(store_id=store_id, today=today, product_id=parse(Product.PREFIX, str(named))) if named else []
    told = [{"product": one.public_id, "name": one.name, "name_en": one.name_en} for one in found]
    return ProductSoldOut(**{**refusal.details, "substitutes": told})


def listed(product_id: UUID) -> QuerySet[SoldOutSubstitute]:
    """Head office's list, in its order."""
    rows = SoldOutSubstitute.objects.filter(product_id=product_id).select_related("substitute")
    return rows.order_by("position")
