"""
A list as it comes out of somebody's spreadsheet, read a row at a time: what lists of stores and of products share.

Nothing here knows the database: bytes in, cells by their column and problems with where they are out. Cells
are text and stay text; what looks like a formula is a strange name and nothing more.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any, Protocol

from stores.errors import (
    HeadingAmbiguous,
    HeadingNotThere,
    HeadingsIncomplete,
    ListEmpty,
    ListEncodingUnknown,
    ListFieldUnknown,
)

CHUNK_BYTES = 1 << 16
ENCODINGS = ("utf-8-sig", "gb18030")  # gb18030 reads whatever GBK and GB 2312 wrote
DELIMITERS = ",\t;"
LONGEST_CELL = 256


class CsvReader(Protocol):
    """What ``csv.reader`` gives, whose own type has no public name."""

    line_num: int

    def __next__(self) -> list[str]: ...


class Problem(StrEnum):
    """Why a row cannot be taken; stable, like every code."""

    ROW_UNREADABLE = "row_unreadable"
    WRONG_CELL_COUNT = "wrong_cell_count"
    NAME_MISSING = "name_missing"
    TOO_LONG = "too_long"
    BAD_CHARACTERS = "bad_characters"
    NOT_A_COORDINATE = "not_a_coordinate"
    PLACE_INCOMPLETE = "place_incomplete"
    ZONE_UNKNOWN = "zone_unknown"
    ZONE_NEEDED = "zone_needed"
    HOURS_UNREADABLE = "hours_unreadable"
    DUPLICATE_CODE = "duplicate_code"
    DUPLICATE_STORE = "duplicate_store"
    REGION_UNKNOWN = "region_unknown"
    STORE_IS_PROMISED = "store_is_promised"
    ENTITY_UNKNOWN = "entity_unknown"
    ENTITY_DIFFERS = "entity_differs"
    CODE_MISSING = "code_missing"
    CATEGORY_MISSING = "category_missing"
    PRICE_UNREADABLE = "price_unreadable"
    PRODUCT_DIFFERS = "product_differs"
    PRODUCT_WITHDRAWN = "product_withdrawn"
    PRODUCT_AND_OPTION = "product_and_option"
    PRODUCT_IS_MATERIAL = "product_is_material"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """``line`` is the line of the file on which the row begins, the heading being on line 1."""

    line: int
    code: StrEnum
    column: str = ""
    value: str = ""

    def told(self) -> dict[str, Any]:
        return {"line": self.line, "code": self.code.value, "column": self.column, "value": self.value[:80]}


@dataclass(frozen=True)
class ListForm:
    """
    What a list of one kind has: its fields with what a column of each may be called (``--map field=heading``
    says it outright), how long a cell may be, and the fields without which it is no such list.
    """

    headings: Mapping[str, str]
    longest: Mapping[str, int]
    required: Sequence[str]


@dataclass(frozen=True)
class Columns:
    """Which column holds which field, and what nobody asked for."""

    places: Mapping[str, int]
    headings: Mapping[str, str]
    ignored: Sequence[str]
    count: int


@dataclass(frozen=True, slots=True)
class Cells:
    """What one row says by field; None where it says nothing."""

    line: int
    said: dict[str, str | None]


@dataclass(frozen=True)
class OpenList:
    """An opened list: how it is written, its columns, and its rows, once, as a stream."""

    encoding: str
    columns: Columns
    rows: Iterator[Cells | RowProblem]


@contextmanager
def opened(source: IO[bytes], *, form: ListForm, mapping: Mapping[str, str]) -> Iterator[OpenList]:
    """
    Read ``source``, which can be sought, from its start; it is left open.

    Raises:
        ListEmpty, ListEncodingUnknown: not a list of anything.
        ListFieldUnknown, HeadingNotThere, HeadingAmbiguous, HeadingsIncomplete: the columns do not fit.
    """
    encoding = detect_encoding(source)
    text = io.TextIOWrapper(source, encoding=encoding, newline="")
    try:
        first = text.readline(CHUNK_BYTES)
        if not first.strip():
            raise ListEmpty
        delimiter = max(DELIMITERS, key=first.count)
        columns = find_columns(next(csv.reader([first], delimiter=delimiter)), form=form, mapping=mapping)
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        yield OpenList(encoding=encoding, columns=columns, rows=_rows(reader, columns, form))
    finally:
        text.detach()  # the wrapper would close what is not ours


def detect_encoding(source: IO[bytes]) -> str:
    """
    UTF-8 if the whole file is, else GB 18030 if it is that; read through once for each, a chunk at a time.

    A sample would not do: a list may be ASCII for a thousand rows before its first Chinese name.

    Raises:
        ListEncodingUnknown: neither.
    """
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        source.seek(0)
        try:
            while chunk := source.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        source.seek(0)
        return encoding
    raise ListEncodingUnknown


def find_columns(headings: Sequence[str], *, form: ListForm, mapping: Mapping[str, str]) -> Columns:
    """
    The columns by ``mapping`` (field to heading) first, then by what headings are usually called.

    Raises:
        ListFieldUnknown, HeadingNotThere, HeadingAmbiguous, HeadingsIncomplete: as they say.
    """
    plain = [_plain(heading) for heading in headings]
    places: dict[str, int] = {}
    for field, heading in mapping.items():
        if field not in form.headings:
            raise ListFieldUnknown(field=field, fields=", ".join(form.headings))
        if _plain(heading) not in plain:
            raise HeadingNotThere(heading=heading, headings=", ".join(headings))
        places[field] = plain.index(_plain(heading))
    taken = set(places.values())
    for field, names in form.headings.items():
        found = [place for place, name in enumerate(plain) if name in names.split() and place not in taken]
        if field in places or not found:
            continue
        if len(found) > 1:
            raise HeadingAmbiguous(field=field, headings=", ".join(headings[place] for place in found))
        places[field] = found[0]
    for field in form.required:
        if field not in places:
            raise HeadingsIncomplete(field=field, headings=", ".join(headings))
    ignored = [heading for place, heading in enumerate(headings) if place not in places.values()]
    return Columns(places, {field: headings[place] for field, place in places.items()}, ignored, len(headings))


def _rows(reader: CsvReader, columns: Columns, form: ListForm) -> Iterator[Cells | RowProblem]:
    ended = 0
    while True:
        line = ended + 2  # the heading was line 1 and read apart
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            ended = reader.line_num
            yield RowProblem(line, Problem.ROW_UNREADABLE, value=str(error))
            continue
        ended = reader.line_num
        while cells and not cells[-1].strip() and len(cells) > columns.count:
            cells.pop()
        if any(cell.strip() for cell in cells):
            yield _row(line, cells, columns, form)


def _row(line: int, cells: Sequence[str], columns: Columns, form: ListForm) -> Cells | RowProblem:
    if len(cells) != columns.count:
        return RowProblem(line, Problem.WRONG_CELL_COUNT, value=f"{len(cells)} / {columns.count}")
    said = {field: cells[place].strip() or None for field, place in columns.places.items()}
    for field, text in said.items():
        if text is None:
            continue
        if not text.isprintable():
            return RowProblem(line, Problem.BAD_CHARACTERS, field, ascii(text))
        if len(text) > form.longest.get(field, LONGEST_CELL):
            return RowProblem(line, Problem.TOO_LONG, field, text)
    return Cells(line, said)


def _plain(heading: str) -> str:
    return re.sub(r"[\s_\-()（）*:：]+", "", unicodedata.normalize("NFKC", heading)).lower()
