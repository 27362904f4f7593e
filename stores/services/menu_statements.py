"""The menu import's SQL: a temporary table of rows, one of products merged by code, and what makes them true."""

STAGED = """
CREATE TEMPORARY TABLE menu_import (
    line integer, id uuid, code text, name text, name_en text, category text, price_fen bigint, is_addon boolean
) ON COMMIT DROP
"""
COPY = "COPY menu_import (line, id, code, name, name_en, category, price_fen, is_addon) FROM STDIN"
# One row a code: its first line's words, its categories in the order of the list; flagged by the rules above.
MERGED = """
CREATE TEMPORARY TABLE menu_product ON COMMIT DROP AS
SELECT row.code, min(row.line) AS line, (array_agg(row.id ORDER BY row.line))[1] AS id,
       (array_agg(row.name ORDER BY row.line))[1] AS name,
       (array_agg(row.name_en ORDER BY row.line) FILTER (WHERE row.name_en IS NOT NULL))[1] AS name_en,
       coalesce(array_agg(DISTINCT row.category) FILTER (WHERE row.category IS NOT NULL), '{}') AS categories,
       (array_agg(row.price_fen ORDER BY row.line))[1] AS price_fen, bool_or(row.is_addon) AS is_addon,
       (array_agg(row.price_fen ORDER BY row.line))[1] > %(multiple)s * price.median_fen AND NOT bool_or(row.is_addon)
       AS is_notice
FROM menu_import row
CROSS JOIN (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY price_fen) AS median_fen FROM menu_import) price
GROUP BY row.code, price.median_fen
"""
# Categories as the list has them, first seen first; array_agg(DISTINCT …) sorts.
ORDER_CATEGORIES = """
UPDATE menu_product SET categories = (
    SELECT array_agg(seen.category ORDER BY seen.line)
    FROM (SELECT category, min(line) AS line FROM menu_import
          WHERE code = menu_product.code AND category IS NOT NULL GROUP BY category) seen)
WHERE cardinality(categories) > 1
"""
PROBLEMS = """
SELECT row.line, 'product_differs', 'code', row.code || ' = line ' || product.line
FROM menu_import row JOIN menu_product product USING (code)
WHERE (row.name, row.price_fen, row.is_addon) IS DISTINCT FROM (product.name, product.price_fen, product.is_addon)
UNION ALL
SELECT product.line, 'product_withdrawn', 'code', product.code FROM menu_product product
JOIN stores_product known ON known.brand_id = %(brand)s AND known.code = product.code
WHERE known.withdrawn_at IS NOT NULL
UNION ALL
SELECT product.line, 'product_is_material', 'code', product.code FROM menu_product product
JOIN stores_product known ON known.brand_id = %(brand)s AND known.code = product.code
WHERE known.unit <> '' AND known.withdrawn_at IS NULL AND NOT product.is_addon
UNION ALL
SELECT product.line, 'product_and_option', 'code', product.code FROM menu_product product
WHERE CASE WHEN product.is_addon
    THEN EXISTS (SELECT FROM stores_product WHERE brand_id = %(brand)s AND code = product.code)
    ELSE EXISTS (SELECT FROM stores_option option JOIN stores_optiongroup known ON known.id = option.group_id
                 WHERE known.brand_id = %(brand)s AND option.code = product.code
                   AND lower(known.code) = ANY(%(addons)s)) END
UNION ALL
SELECT product.line, 'product_withdrawn', 'code', product.code FROM menu_product product
JOIN stores_optiongroup known ON known.brand_id = %(brand)s AND known.code = product.categories[1]
JOIN stores_option option ON option.group_id = known.id AND option.code = product.code
WHERE product.is_addon AND option.withdrawn_at IS NOT NULL
ORDER BY 1
"""
FLAGGED = """
SELECT line, code, name, is_addon, price_fen, array_to_string(categories, ', ') FROM menu_product
WHERE is_notice OR is_addon ORDER BY line
"""
REPEATED = """
SELECT row.line, row.code, row.name, product.line FROM menu_import row JOIN menu_product product USING (code)
WHERE row.line > product.line ORDER BY row.line
"""
COUNTS = """
SELECT count(*), count(*) FILTER (WHERE is_notice), count(*) FILTER (WHERE is_addon),
       (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY price_fen) FROM menu_import)
FROM menu_product
"""
# An empty cell says nothing. A flag that comes takes a product off the menus, one that goes puts it back;
# where neither changes, what people said of it stands.
UPDATE_PRODUCTS = """
UPDATE stores_product known
SET name = row.name, name_en = coalesce(row.name_en, known.name_en), price_fen = row.price_fen,
    categories = CASE WHEN row.categories = '{}' THEN known.categories ELSE row.categories END,
    flags = CASE WHEN row.is_notice THEN ARRAY[%(notice)s] ELSE '{}' END::text[],
    is_sold = CASE WHEN row.is_notice = (%(notice)s = ANY(known.flags)) THEN known.is_sold ELSE NOT row.is_notice END
FROM menu_product row
WHERE known.brand_id = %(brand)s AND known.code = row.code AND NOT row.is_addon
  AND (known.name <> row.name OR known.price_fen <> row.price_fen OR known.name_en <> row.name_en
       OR row.categories <> '{}' AND row.categories <> known.categories::text[]
       OR row.is_notice <> (%(notice)s = ANY(known.flags)))
RETURNING row.line, known.code
"""
INSERT_PRODUCTS = """
INSERT INTO stores_product
    (id, brand_id, code, name, name_en, categories, price_fen, is_sold, flags, position, created_at)
SELECT row.id, %(brand)s, row.code, row.name, coalesce(row.name_en, ''), row.categories, row.price_fen,
       NOT row.is_notice, CASE WHEN row.is_notice THEN ARRAY[%(notice)s] ELSE '{}' END::text[], row.line, %(at)s
FROM menu_product row
WHERE NOT row.is_addon
  AND NOT EXISTS (SELECT FROM stores_product WHERE brand_id = %(brand)s AND code = row.code)
"""
NEW_GROUPS = """
SELECT categories[1], count(*) FROM menu_product
WHERE is_addon AND NOT EXISTS (SELECT FROM stores_optiongroup WHERE brand_id = %(brand)s AND code = categories[1])
GROUP BY 1 ORDER BY 1
"""
UPDATE_OPTIONS = """
UPDATE stores_option known
SET name = row.name, name_en = coalesce(row.name_en, known.name_en), price_delta_fen = row.price_fen
FROM menu_product row JOIN stores_optiongroup addons ON addons.brand_id = %(brand)s AND addons.code = row.categories[1]
WHERE row.is_addon AND known.group_id = addons.id AND known.code = row.code
  AND ((known.name, known.price_delta_fen) IS DISTINCT FROM (row.name, row.price_fen)
       OR row.name_en <> known.name_en)
RETURNING row.line, known.code
"""
INSERT_OPTIONS = """
INSERT INTO stores_option
    (id, group_id, code, name, name_en, price_delta_fen, is_default, is_sold, position, created_at)
SELECT row.id, addons.id, row.code, row.name, coalesce(row.name_en, ''), row.price_fen, false, true, row.line, %(at)s
FROM menu_product row JOIN stores_optiongroup addons ON addons.brand_id = %(brand)s AND addons.code = row.categories[1]
WHERE row.is_addon AND NOT EXISTS (SELECT FROM stores_option WHERE group_id = addons.id AND code = row.code)
"""
