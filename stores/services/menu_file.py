"""
A menu as a till exports it, row by row: a product, or an add-on where its category says so.

Nothing here knows the database. What a row is follows from stated rules, never from a list of names.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import IO

from stores.services import csv_lists
from stores.services.csv_lists import Cells, Columns, ListForm, Problem, RowProblem

MOST_FEN = 100_000_000
HEADINGS = {
    "sku": "sku 商品编码 货号 规格编码 barcode 条码",
    "product_id": "productid id code 商品id 商品编号 编号 编码",
    "name": "product name productname 商品 商品名 商品名称 名称 品名 菜名",
    "name_en": "nameen englishname 英文名 英文名称",
    "category": "category categoryname 分类 类别 类目 商品分类 菜品分类",
    "price": "price priceyuan pricecny 价格 售价 单价 原价 金额",
}
"""``sku`` before ``product_id`` where a row has both; ``price`` is in yuan."""

LONGEST = {"sku": 64, "product_id": 64, "name": 128, "name_en": 128, "category": 64, "price": 24}
"""As the columns of ``Product`` are; a test holds them together."""

FORM = ListForm(headings=HEADINGS, longest=LONGEST, required=("name", "price"))

ADDON_CATEGORIES = frozenset(
    {
        "加料",
        "小料",
        "配料",
        "加配",
        "加购小料",
        "topping",
        "toppings",
        "add-on",
        "add-ons",
        "addon",
        "addons",
        "extras",
    }
)
"""What a category of toppings is called: its rows are options of a group of that name, and not sold alone."""

YUAN = re.compile(r"[¥￥]?\s*(\d[\d,]*(?:\.\d+)?)\s*元?")


@dataclass(frozen=True, slots=True)
class MenuRow:
    """What one row says; None where it says nothing and what is there stays."""

    line: int
    code: str
    name: str
    name_en: str | None
    category: str | None
    price_fen: int
    is_addon: bool


@dataclass(frozen=True)
class MenuFile:
    """An opened list: how it is written, its columns, and its rows, once, as a stream."""

    encoding: str
    columns: Columns
    rows: Iterator[MenuRow | RowProblem]


@contextmanager
def opened(source: IO[bytes], *, mapping: Mapping[str, str]) -> Iterator[MenuFile]:
    """
    Read ``source``, which can be sought, from its start; it is left open.

    Raises:
        ListEmpty, ListEncodingUnknown, ListFieldUnknown, HeadingNotThere, HeadingAmbiguous, HeadingsIncomplete:
            as ``csv_lists.opened`` does.
    """
    with csv_lists.opened(source, form=FORM, mapping=mapping) as found:
        rows = (one if isinstance(one, RowProblem) else _row(one) for one in found.rows)
        yield MenuFile(encoding=found.encoding, columns=found.columns, rows=rows)


def fen_of(text: str) -> int:
    """
    ``32``, ``¥32.50`` or ``1,280元`` in fen.

    Raises:
        ValueError: no amount of yuan, or a part of a fen.
    """
    found = YUAN.fullmatch(text)
    fen = Decimal(found.group(1).replace(",", "")) * 100 if found else Decimal("NaN")
    if not fen.is_finite() or fen != int(fen) or fen > MOST_FEN:
        raise ValueError(f"{text!r} is no amount of yuan")
    return int(fen)


def _row(cells: Cells) -> MenuRow | RowProblem:
    line, said = cells.line, cells.said
    code, name, price, category = (
        said.get("sku") or said.get("product_id"),
        *map(said.get, ("name", "price", "category")),
    )
    if code is None:
        return RowProblem(line, Problem.CODE_MISSING, "product_id")
    if name is None:
        return RowProblem(line, Problem.NAME_MISSING, "name")
    try:
        price_fen = fen_of(price or "")
    except ValueError:
        return RowProblem(line, Problem.PRICE_UNREADABLE, "price", price or "")
    is_addon = (category or "").casefold() in ADDON_CATEGORIES
    return MenuRow(line, code, name, said.get("name_en"), category, price_fen, is_addon)
