"""
Statement lines as rows of a file for people: ids as they are shown elsewhere, yuan with two places.

PostgreSQL writes the cells, where they cost a fraction of what they cost in Python. It walks the statements of the
days asked for and reads each one's lines along ``settlement_by_store_and_day``, so the cost is the lines it returns,
whatever the history; memory is a chunk.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel.csv_export import HARMLESS, as_csv_of_text
from config.kernel.xlsx_export import Column
from orders.models import Purchase, Settlement
from orders.models.settlement import AMOUNTS
from stores.queries import Books
from vouchers.models import DealTerms, Redemption

CHUNK = 2_000
ZONE = "Asia/Shanghai"
KINDS = {
    Settlement.Source.REDEMPTION: "核销",
    Settlement.Source.SURCHARGE: "补差",
    Settlement.Source.STORE_ORDER: "点单现金",
    Settlement.Source.AFTER_USE: "用后退款",
    Settlement.Source.REMAKE: "重做",
}
FAULTS = {"store": "门店", "brand": "品牌", "customer": "顾客"}

Row = tuple[str, ...]
"""The cells of a line, in the order of ``HEADINGS``."""


def _id(prefix: str, column: str) -> str:
    """SQL of ``config.kernel.ids.public``; empty for none."""
    return f"coalesce('{prefix}_' || encode(uuid_send({column}), 'hex'), '')"


def _word(column: str, words: Mapping[Any, str]) -> str:
    cases = " ".join(f"WHEN '{value}' THEN '{word}'" for value, word in words.items())
    return f"CASE {column} {cases} ELSE '' END"


TEXT = {
    "明细编号": _id(Settlement.PREFIX, "line.id"),
    "类型": _word("line.source_kind", KINDS),
    "账单日": "statement.day::text",
    "营业日": "line.business_date::text",
    "结算时间": f"to_char(line.settled_at AT TIME ZONE '{ZONE}', 'YYYY-MM-DD HH24:MI:SS')",
    "门店编码": "statement.store_code",
    "门店": "statement.store_name",
    "结算主体编码": "statement.entity_code",
    "结算主体": "statement.entity_name",
    "核销编号": _id(Redemption.PREFIX, "line.redemption_id"),
    "订单编号": _id(Purchase.PREFIX, "line.purchase_id"),
    "规则版本": _id(DealTerms.PREFIX, "line.terms_id"),
    "规则序号": "coalesce(line.rule::text, '')",
    "责任方": _word("line.fault", FAULTS),
    # It begins with our word, so that no product's name makes a formula of it.
    "商品替代": "coalesce((SELECT string_agg('原' || product_name || '→' || substitute_name, '; ' ORDER BY id)"
    " FROM stores_substitution WHERE source_id = line.id), '')",
}
MONEY = (
    *("实付", "门店分成", "品牌补贴", "品牌服务费", "门店承担", "达人佣金", "服务商佣金", "平台服务费", "主体应得"),
    *("品牌留存", "已在门店收银"),
)
"""``AMOUNTS`` in the words of the people."""
HEADINGS = (*TEXT, *MONEY)
COLUMNS = (
    *(Column.NUMBER if heading == "规则序号" else Column.TEXT for heading in TEXT),
    *(Column.MONEY for _ in MONEY),
)

# What people have written is looked at once for each statement, not for each of its lines.
LINES = f"""
SELECT {", ".join(TEXT.values())}, {", ".join(f"(line.{name} * 0.01)::text" for name in AMOUNTS)}
FROM (
    SELECT day, store_id, entity_id, {{store_code}} AS store_code, {{store_name}} AS store_name,
        coalesce({{entity_code}}, '') AS entity_code, coalesce({{entity_name}}, '') AS entity_name
    FROM (
        SELECT store_id, entity_id, day FROM orders_storestatement
        WHERE brand_id = %(brand_id)s AND day >= %(since)s AND day < %(until)s
            AND (%(entity_ids)s::uuid[] IS NULL OR entity_id = ANY(%(entity_ids)s::uuid[]))
            AND (%(store_id)s::uuid IS NULL OR store_id = %(store_id)s)
        ORDER BY day, store_id
    ) of_day
    JOIN stores_store store ON store.id = of_day.store_id
    LEFT JOIN stores_settlemententity entity ON entity.id = of_day.entity_id
    OFFSET 0
) statement
CROSS JOIN LATERAL (
    SELECT * FROM orders_settlement
    WHERE store_id = statement.store_id AND booked_date = statement.day
        AND entity_id IS NOT DISTINCT FROM statement.entity_id
    ORDER BY id OFFSET 0
) line
"""  # noqa: S608 - constants
PEOPLES = {
    "store_code": "store.code",
    "store_name": "store.name",
    "entity_code": "entity.code",
    "entity_name": "entity.name",
}
AS_THEY_ARE = LINES.format(**PEOPLES)
FOR_CSV = LINES.format(**{name: HARMLESS.format(column) for name, column in PEOPLES.items()})


def csv_of_lines(*, books: Books, since: date, until: date, store_id: UUID | None = None) -> Iterator[str]:
    """The lines booked from ``since`` until ``until`` (exclusive) as CSV, some thousand at a time."""
    chunks = _chunks(FOR_CSV, books=books, since=since, until=until, store_id=store_id)
    return as_csv_of_text(HEADINGS, chunks)


def lines(*, books: Books, since: date, until: date, store_id: UUID | None = None) -> Iterator[Row]:
    """The lines booked from ``since`` until ``until`` (exclusive) that ``books`` lets see, by day and store."""
    for chunk in _chunks(AS_THEY_ARE, books=books, since=since, until=until, store_id=store_id):
        yield from chunk


def _chunks(statement: str, *, books: Books, since: date, until: date, store_id: UUID | None) -> Iterator[list[Row]]:
    """Through a cursor of the server in a transaction of its own, or the caller's: one moment's truth."""
    asked: dict[str, Any] = {
        "brand_id": books.brand_id,
        "entity_ids": None if books.entity_ids is None else sorted(books.entity_ids),
        "store_id": store_id,
        "since": since,
        "until": until,
    }
    with transaction.atomic():
        with connection.cursor() as plain:
            # Estimates of a whole month would have it read the whole table; each statement's lines lie together.
            plain.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        connection.ensure_connection()
        with connection.connection.cursor(name="statement_lines") as cursor:
            cursor.execute(statement, asked)
            while chunk := cursor.fetchmany(CHUNK):
                yield chunk
