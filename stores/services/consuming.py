"""
Consuming: cups with a recipe take their materials from the store, many cups in one statement.

The sale only notes which cups were made; nothing is locked for it and nothing is refused. The worker looks up the
recipe that was in force when each was made and takes what the store counts of it, below nothing if the books have
less (decision 0007); a store that does not count a material takes none of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import Cursor, Send, as_jsonb, pipelined
from stores.models import MaterialUse
from stores.services.settled import Settled, leave_settled

CUPS_AT_ONCE = 2_000
"""Sources, of one cup mostly: with six materials each a transaction of a third of a second."""

MADE = """
    INSERT INTO stores_materialuse
        (store_id, source_kind, source_id, business_date, cups, state, recipes, taken, made_at)
    SELECT %(store_id)s, %(source_kind)s, %(source_id)s, %(business_date)s,
           jsonb_agg(jsonb_build_object('p', p, 'n', n, 'o', o)), 'open', '{}', '{}', %(at)s
    FROM jsonb_to_recordset(%(cups)s::jsonb) AS cup(p uuid, n bigint, o jsonb)
    WHERE EXISTS (SELECT FROM stores_recipe recipe WHERE recipe.product_id = cup.p AND recipe.starts_at <= %(at)s)
    HAVING count(*) > 0
    ON CONFLICT (source_id, source_kind) DO NOTHING
"""
# What the cups of ``used`` need, by use and material. A batch has thousands of cups and a handful of kinds: each
# kind is added up once, by the recipe that was in force, and what one of it takes is never less than nothing.
NEEDED = """
    cup AS MATERIALIZED (
        SELECT used.id, used.store_id, used.made_at, c.p, c.n, c.o
        FROM used CROSS JOIN jsonb_to_recordset(used.cups) AS c(p uuid, n bigint, o uuid[])
    ), version AS (
        SELECT id, product_id, starts_at,
               lead(starts_at) OVER (PARTITION BY product_id ORDER BY starts_at, number) AS ends_at
        FROM stores_recipe WHERE product_id IN (SELECT p FROM cup)
    ), followed AS MATERIALIZED (
        SELECT cup.id, cup.store_id, cup.n, cup.o, version.id AS recipe_id
        FROM cup JOIN version ON version.product_id = cup.p AND version.starts_at <= cup.made_at
            AND (version.ends_at IS NULL OR cup.made_at < version.ends_at)
    ), of_kind AS MATERIALIZED (
        SELECT kind.recipe_id, kind.o, line.material_id, sum(line.quantity) AS units
        FROM (SELECT DISTINCT recipe_id, o FROM followed) kind
        JOIN stores_recipeline line ON line.recipe_id = kind.recipe_id AND line.options <@ kind.o
        GROUP BY kind.recipe_id, kind.o, line.material_id HAVING sum(line.quantity) > 0
    ), needed AS MATERIALIZED (
        SELECT followed.id, followed.store_id, of_kind.material_id, sum(followed.n * of_kind.units)::bigint AS units
        FROM followed JOIN of_kind ON of_kind.recipe_id = followed.recipe_id AND of_kind.o = followed.o
        GROUP BY followed.id, followed.store_id, of_kind.material_id
    )"""
# Claimed by state, as reservations are; uses come before levels, as where they are given back.
CONSUME = f"""
    WITH claimed AS MATERIALIZED (
        SELECT id FROM stores_materialuse WHERE state = 'open'
        ORDER BY store_id, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    ), used AS MATERIALIZED (
        SELECT u.id, u.store_id, u.made_at, u.cups FROM claimed JOIN stores_materialuse u USING (id)
    ), {NEEDED}, level AS MATERIALIZED (
        SELECT l.id, l.store_id, l.product_id
        FROM (SELECT DISTINCT store_id, material_id FROM needed) wanted
        JOIN stores_stocklevel l ON l.store_id = wanted.store_id AND l.product_id = wanted.material_id
        WHERE l.mode = 'counted' ORDER BY l.store_id, l.product_id FOR NO KEY UPDATE OF l
    ), taken AS MATERIALIZED (
        SELECT needed.id, level.id AS level_id, needed.material_id, needed.units
        FROM needed JOIN level ON level.store_id = needed.store_id AND level.product_id = needed.material_id
    ), ended AS (
        UPDATE stores_materialuse u SET state = 'consumed', ended_at = greatest(%(at)s, u.made_at),
            recipes = coalesce(by_recipe.ids, '{{}}'), taken = coalesce(by_use.units, '{{}}')
        FROM claimed
        LEFT JOIN (SELECT id, array_agg(DISTINCT recipe_id) AS ids FROM followed GROUP BY id) by_recipe
            ON by_recipe.id = claimed.id
        LEFT JOIN (SELECT id, jsonb_object_agg(material_id, units) AS units FROM taken GROUP BY id) by_use
            ON by_use.id = claimed.id
        WHERE u.id = claimed.id AND u.state = 'open'
        RETURNING u.id, u.store_id, u.source_kind, u.source_id, u.business_date
    ), moved AS (
        INSERT INTO stores_stockmovement
            (store_id, product_id, quantity, kind, source_kind, source_id, business_date, moved_at)
        SELECT ended.store_id, taken.material_id, -taken.units, 'consumed', ended.source_kind, ended.source_id,
               ended.business_date, %(at)s
        FROM ended JOIN taken USING (id)
    ), lowered AS (
        UPDATE stores_stocklevel l SET on_hand = l.on_hand - sum_.units
        FROM (SELECT level_id, sum(units) AS units FROM taken GROUP BY level_id) sum_ WHERE l.id = sum_.level_id
        RETURNING l.store_id, l.product_id, l.on_hand, l.on_hand + sum_.units AS before
    )
    SELECT (SELECT count(*) FROM ended), store.brand_id, lowered.store_id, lowered.product_id, lowered.on_hand
    FROM (SELECT) AS one
    LEFT JOIN (lowered JOIN stores_store store ON store.id = lowered.store_id)
        ON lowered.on_hand < 0 AND lowered.before >= 0
"""  # noqa: S608 - constants
WAITING = f"""
    WITH used AS MATERIALIZED (
        SELECT id, store_id, made_at, cups FROM stores_materialuse
        WHERE store_id = ANY(%(store_ids)s) AND state = 'open'
    ), {NEEDED}
    SELECT material_id, sum(units)::bigint FROM needed WHERE material_id = ANY(%(material_ids)s) GROUP BY material_id
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Cups:
    """So many of a product, made with these answers."""

    product_id: UUID
    quantity: int
    option_ids: Collection[UUID] = ()


def send_made(
    send: Send,
    *,
    store_id: UUID,
    business_date: date,
    cups: Sequence[Cups],
    source_kind: MaterialUse.Source,
    source_id: UUID,
    at: datetime,
) -> Cursor:
    """
    Note on the caller's trip which cups were made; those without a recipe are left out. Repeating changes nothing.

    Runs inside the caller's transaction, and locks nothing.
    """
    assert connection.in_atomic_block, "cups are made with the act that makes them"
    nudge_after_commit("stores.settle_stock", queue="stock")
    rows = [{"p": one.product_id, "n": one.quantity, "o": list(one.option_ids)} for one in cups]
    asked = {"store_id": store_id, "business_date": business_date, "source_id": source_id, "at": at}
    return send(MADE, {**asked, "source_kind": source_kind.value, "cups": as_jsonb(rows)})


def consume(*, limit: int = CUPS_AT_ONCE, at: datetime) -> Settled:
    """
    Take the materials of up to ``limit`` sources, each exactly once, however many workers there are.

    Claimed by state with SKIP LOCKED in one statement, O(cups) and blind to history. Nothing blocks: where more was
    used than the books had, the level is short, and ``stock.short`` says so once.
    """
    with transaction.atomic(durable=True):
        with pipelined() as send:
            consuming = send(CONSUME, {"limit": limit, "at": at})
        return leave_settled(consuming.fetchall(), act="stock.consumed", subject_kind="material_use", at=at)


def waiting(*, store_ids: Collection[UUID], material_ids: Collection[UUID]) -> dict[UUID, int]:
    """What cups that were made will take of these materials when the worker comes; nothing is left out of it."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"store_ids": list(store_ids), "material_ids": list(material_ids)})
        return dict(cursor.fetchall())
