"""I7: cups that were made took the materials of their recipes, each use once; what was undone has them back."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I7",
    "each use of materials took what its recipes say, once; what was undone has it restored",
    (
        Check(
            "material_movements",
            """
            SELECT coalesce(said.source_id, moved.source_id) AS source,
                   coalesce(said.material_id, moved.product_id) AS material,
                   coalesce(said.taken, 0) AS taken, coalesce(moved.consumed, 0) AS consumed,
                   coalesce(said.returned, 0) AS returned, coalesce(moved.restored, 0) AS restored
            FROM (
                SELECT used.store_id, used.source_kind, used.source_id, key::uuid AS material_id,
                       value::bigint AS taken,
                       CASE WHEN used.state = 'returned' THEN value::bigint ELSE 0 END AS returned
                FROM {material_uses} AS used CROSS JOIN jsonb_each_text(used.taken)
            ) AS said
            FULL JOIN (
                SELECT store_id, source_kind, source_id, product_id,
                       -sum(quantity) FILTER (WHERE kind = 'consumed') AS consumed,
                       sum(quantity) FILTER (WHERE kind = 'restored') AS restored
                FROM {movements} AS movement WHERE kind IN ('consumed', 'restored')
                GROUP BY store_id, source_kind, source_id, product_id
            ) AS moved ON moved.source_id = said.source_id AND moved.product_id = said.material_id
                AND moved.store_id = said.store_id AND moved.source_kind = said.source_kind
            """,
            {
                "material_was_consumed_once": "taken = consumed",
                "returned_material_was_restored_once": "returned = restored",
            },
            {"consumed": "sum(consumed)", "restored": "sum(restored)"},
        ),
        Check(
            "material_amounts",
            """
            SELECT used.id AS use, key::uuid AS material, value::bigint AS taken, needed.units AS by_recipe
            FROM {material_uses} AS used CROSS JOIN jsonb_each_text(used.taken)
            LEFT JOIN LATERAL (
                SELECT sum(of_cup.units) AS units
                FROM (
                    SELECT cup.n * greatest(0, sum(line.quantity)) AS units
                    FROM ROWS FROM (jsonb_to_recordset(used.cups) AS (p uuid, n bigint, o uuid[]))
                        WITH ORDINALITY AS cup(p, n, o, place)
                    JOIN stores_recipe recipe ON recipe.product_id = cup.p AND recipe.id = ANY(used.recipes)
                        AND recipe.starts_at <= used.made_at
                    JOIN stores_recipeline line ON line.recipe_id = recipe.id AND line.material_id = key::uuid
                        AND line.options <@ cup.o
                    GROUP BY cup.place, cup.n
                ) AS of_cup
            ) AS needed ON true
            """,
            {"material_was_consumed_by_its_recipe": "taken = by_recipe"},
        ),
        Check(
            "material_uses",
            """
            SELECT used.id AS use, used.state, used.source_kind, CASE used.source_kind
                       WHEN 'redemption' THEN redemption.reversed_at IS NULL AND redemption.store_id = used.store_id
                       WHEN 'store_order' THEN store_order.status IN ('ready', 'collected', 'uncollected')
                           AND store_order.store_id = used.store_id
                       WHEN 'remake' THEN remake.status = 'done' AND remake.store_id = used.store_id END AS is_live,
                   CASE used.source_kind WHEN 'redemption' THEN redemption.id IS NOT NULL
                       WHEN 'store_order' THEN store_order.ready_at IS NOT NULL
                       WHEN 'remake' THEN remake.outcome = 'remake' END AS was_made
            FROM {material_uses} AS used
            LEFT JOIN {redemptions} AS redemption ON redemption.id = used.source_id
            LEFT JOIN {store_orders} AS store_order ON store_order.id = used.source_id
            LEFT JOIN {cases} AS remake ON remake.id = used.source_id
            """,
            {"live_cups_use_their_materials": "was_made AND is_live = (state IN ('open', 'consumed'))"},
            {"waiting": "count(*) FILTER (WHERE state = 'open')"},
        ),
        # A recipe that was being written while the cup was made may have held or not.
        Check(
            "made_orders",
            """
            SELECT store_order.id AS store_order, used.id AS use
            FROM {store_orders} AS store_order
            LEFT JOIN {material_uses} AS used
                ON used.source_id = store_order.id AND used.source_kind = 'store_order'
            WHERE store_order.ready_at IS NOT NULL AND EXISTS (
                SELECT FROM orders_storeorderline line JOIN stores_recipe recipe ON recipe.product_id = line.product_id
                WHERE line.order_id = store_order.id AND recipe.starts_at <= store_order.ready_at
                    AND recipe.created_at < store_order.ready_at - interval '1 minute')
            """,
            {"made_order_used_materials": "use IS NOT NULL"},
        ),
    ),
)
