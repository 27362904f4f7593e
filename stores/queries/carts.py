"""The part of a store's menu that a cart names: one statement, whatever the menu's length."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from stores.queries.clerks import StoreNow
from stores.queries.menus import Menu, MenuGroup, MenuOption, MenuProduct

CART = """
    SELECT p.id, p.code, p.name, p.name_en, p.categories, coalesce(here.price_fen, p.price_fen), p.price_fen,
        here.sold_out_at IS NOT NULL,
        CASE level.mode WHEN 'counted' THEN level.on_hand - level.reserved
                        WHEN 'daily_limit' THEN level.daily_limit - coalesce(tally.taken, 0) END,
        (SELECT jsonb_agg(jsonb_build_object(
             'id', g.id, 'code', g.code, 'name', g.name, 'en', g.name_en, 'least', g.choose_least,
             'most', g.choose_most, 'options', (
                 SELECT coalesce(jsonb_agg(jsonb_build_object(
                     'id', o.id, 'code', o.code, 'name', o.name, 'en', o.name_en,
                     'delta', coalesce(so.price_delta_fen, o.price_delta_fen), 'default', o.is_default,
                     'gone', so.sold_out_at IS NOT NULL) ORDER BY o.position, o.code), '[]')
                 FROM stores_option o
                 LEFT JOIN stores_storeoption so ON so.option_id = o.id AND so.store_id = %(store_id)s
                 WHERE o.group_id = g.id AND o.is_sold AND o.withdrawn_at IS NULL)
             ) ORDER BY link.position, link.id)
         FROM stores_productoptiongroup link JOIN stores_optiongroup g ON g.id = link.group_id
         WHERE link.product_id = p.id)::text
    FROM stores_product p
    LEFT JOIN stores_storeproduct here ON here.product_id = p.id AND here.store_id = %(store_id)s
    LEFT JOIN stores_stocklevel level ON level.product_id = p.id AND level.store_id = %(store_id)s
    LEFT JOIN stores_dailytally tally ON tally.product_id = p.id AND tally.store_id = %(store_id)s
        AND tally.business_date = %(today)s
    WHERE p.id = ANY(%(product_ids)s) AND p.brand_id = %(brand_id)s AND p.is_sold AND p.withdrawn_at IS NULL
"""


def menu_for(store: StoreNow, product_ids: Collection[UUID]) -> tuple[Menu, dict[UUID, int]]:
    """Of these products those on the store's menu, as ``menu_of`` shows them; and the brand's own price of each."""
    asked: dict[str, Any] = {
        "store_id": store.store_id,
        "brand_id": store.brand_id,
        "today": store.business_date,
        "product_ids": list(product_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(CART, asked)
        rows = cursor.fetchall()
    products = []
    for id_, code, name, name_en, categories, price_fen, _, is_off, left, groups in rows:
        is_sold_out = is_off or (left is not None and left <= 0)
        asked_groups = tuple(_group(group) for group in orjson.loads(groups)) if groups else ()
        products.append(
            MenuProduct(id_, code, name, name_en, tuple(categories), price_fen, is_sold_out, asked_groups, left)
        )
    return Menu(store.store_id, tuple(products)), {row[0]: row[6] for row in rows}


def _group(row: dict[str, object]) -> MenuGroup:
    options = row["options"]
    assert isinstance(options, list), "an empty group has an empty list"
    return MenuGroup(
        group_id=UUID(str(row["id"])),
        code=str(row["code"]),
        name=str(row["name"]),
        name_en=str(row["en"]),
        choose_least=int(str(row["least"])),
        choose_most=int(str(row["most"])),
        options=tuple(
            MenuOption(UUID(one["id"]), one["code"], one["name"], one["en"], one["delta"], one["default"], one["gone"])
            for one in options
        ),
    )
