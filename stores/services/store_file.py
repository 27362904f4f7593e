"""
A list of stores as it comes out of somebody's spreadsheet, read a row at a time.

Nothing here knows the database: bytes in, rows with what they say and problems with where they are out.
Cells are text and stay text; what looks like a formula is a strange name and nothing more.
"""

import codecs
import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import IO, Any, Protocol

from stores.business_days import check_hours, check_zone
from stores.errors import (
    HeadingAmbiguous,
    HeadingNotThere,
    HeadingsWithoutName,
    StoreFieldUnknown,
    StoreFileEmpty,
    StoreFileEncodingUnknown,
)
from stores.services.store_codes import derived_code
from stores.services.store_zones import zone_of_place

CHUNK_BYTES = 1 << 16
ENCODINGS = ("utf-8-sig", "gb18030")  # gb18030 reads whatever GBK and GB 2312 wrote
DELIMITERS = ",\t;"
MICRODEGREE = Decimal("0.000001")  # 11 cm
HOURS_SPAN = re.compile(r"(\d{1,2}):(\d\d)[-–—~～至](\d{1,2}):(\d\d)")
AROUND_THE_CLOCK = {"24小时", "全天", "24h", "24hours"}

HEADINGS: dict[str, str] = {
    "code": "code storecode storeid shopcode shopid 编码 编号 门店编码 门店编号 店铺编码 店铺编号 门店id 店号 店编",
    "name": "name storename shopname 名称 门店 门店名称 门店名 店名 店铺名称",
    "name_en": "nameen englishname enname 英文名 英文名称 门店英文名",
    "city": "city area 城市 市 所在城市 所属城市",
    "region": "region regioncode 区域 区域编码 大区 大区编码",
    "address": "address 地址 门店地址 详细地址",
    "latitude": "latitude lat 纬度",
    "longitude": "longitude lng lon long 经度",
    "zone": "zone timezone tz 时区",
    "hours": "hours openinghours businesshours 营业时间",
    "entity": "entity entitycode 结算主体 结算主体编码",
}
"""What a column may be called; ``--map field=heading`` says it outright."""

LONGEST = {"code": 32, "name": 128, "name_en": 128, "city": 64, "address": 256, "zone": 48, "region": 32, "entity": 32}
"""As the columns of ``Store`` are; a test holds them together."""


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
    ENTITY_UNKNOWN = "entity_unknown"
    ENTITY_DIFFERS = "entity_differs"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """``line`` is the line of the file on which the row begins, the heading being on line 1."""

    line: int
    code: Problem
    column: str = ""
    value: str = ""

    def told(self) -> dict[str, Any]:
        return {"line": self.line, "code": self.code.value, "column": self.column, "value": self.value[:80]}


@dataclass(frozen=True, slots=True)
class StoreRow:
    """What one row says; None where it says nothing and what is there stays."""

    line: int
    code: str
    code_is_derived: bool
    name: str
    name_en: str | None
    city: str | None
    region: str | None
    address: str | None
    latitude: Decimal | None
    longitude: Decimal | None
    zone: str | None
    zone_if_new: str
    hours: str | None
    entity: str | None


@dataclass(frozen=True)
class Columns:
    """Which column holds which field, and what nobody asked for."""

    places: Mapping[str, int]
    headings: Mapping[str, str]
    ignored: Sequence[str]
    count: int


@dataclass(frozen=True)
class StoreFile:
    """An opened list: how it is written, its columns, and its rows, once, as a stream."""

    encoding: str
    columns: Columns
    rows: Iterator[StoreRow | RowProblem]


@contextmanager
def opened(
    source: IO[bytes], *, mapping: Mapping[str, str], brand_zone: str, zone: str | None, entity: str | None
) -> Iterator[StoreFile]:
    """
    Read ``source``, which can be sought, from its start; it is left open. ``zone`` and ``entity`` (a code)
    stand in where a row names none.

    Raises:
        StoreFileEmpty, StoreFileEncodingUnknown: not a list of anything.
        StoreFieldUnknown, HeadingNotThere, HeadingAmbiguous, HeadingsWithoutName: the columns do not fit.
    """
    encoding = detect_encoding(source)
    text = io.TextIOWrapper(source, encoding=encoding, newline="")
    try:
        first = text.readline(CHUNK_BYTES)
        if not first.strip():
            raise StoreFileEmpty
        delimiter = max(DELIMITERS, key=first.count)
        columns = find_columns(next(csv.reader([first], delimiter=delimiter)), mapping=mapping)
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        reading = _Reading(columns, brand_zone=brand_zone, zone=zone, entity=entity)
        yield StoreFile(encoding=encoding, columns=columns, rows=reading.rows(reader))
    finally:
        text.detach()  # the wrapper would close what is not ours


def detect_encoding(source: IO[bytes]) -> str:
    """
    UTF-8 if the whole file is, else GB 18030 if it is that; read through once for each, a chunk at a time.

    A sample would not do: a list may be ASCII for a thousand rows before its first Chinese name.

    Raises:
        StoreFileEncodingUnknown: neither.
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
    raise StoreFileEncodingUnknown


def find_columns(headings: Sequence[str], *, mapping: Mapping[str, str]) -> Columns:
    """
    The columns by ``mapping`` (field to heading) first, then by what headings are usually called.

    Raises:
        StoreFieldUnknown, HeadingNotThere, HeadingAmbiguous, HeadingsWithoutName: as they say.
    """
    plain = [_plain(heading) for heading in headings]
    places: dict[str, int] = {}
    for field, heading in mapping.items():
        if field not in HEADINGS:
            raise StoreFieldUnknown(field=field, fields=", ".join(HEADINGS))
        if _plain(heading) not in plain:
            raise HeadingNotThere(heading=heading, headings=", ".join(headings))
        places[field] = plain.index(_plain(heading))
    taken = set(places.values())
    for field, names in HEADINGS.items():
        found = [place for place, name in enumerate(plain) if name in names.split() and place not in taken]
        if field in places or not found:
            continue
        if len(found) > 1:
            raise HeadingAmbiguous(field=field, headings=", ".join(headings[place] for place in found))
        places[field] = found[0]
    if "name" not in places:
        raise HeadingsWithoutName(headings=", ".join(headings))
    ignored = [heading for place, heading in enumerate(headings) if place not in places.values()]
    return Columns(places, {field: headings[place] for field, place in places.items()}, ignored, len(headings))


def parse_hours(text: str) -> dict[str, list[list[str]]]:
    """
    ``10:00-22:00`` for every day; several spans with commas; ``18:00-02:00`` runs past midnight.

    Raises:
        ValueError: not hours.
    """
    compact = "".join(unicodedata.normalize("NFKC", text).split()).replace("、", ",").replace(";", ",")
    if compact.lower() in AROUND_THE_CLOCK:
        return {day: [["00:00", "24:00"]] for day in "1234567"}
    spans = []
    for part in compact.split(","):
        if not (found := HOURS_SPAN.fullmatch(part)):
            raise ValueError(f"{part!r} is not a span such as 10:00-22:00")
        start_hour, start_minute, end_hour, end_minute = (int(digits) for digits in found.groups())
        if (end_hour, end_minute) <= (start_hour, start_minute):
            end_hour += 24
        spans.append([f"{start_hour:02}:{start_minute:02}", f"{end_hour:02}:{end_minute:02}"])
    hours = dict.fromkeys("1234567", spans)
    check_hours(hours)
    return hours


class _Reading:
    """One pass over a file's rows."""

    def __init__(self, columns: Columns, *, brand_zone: str, zone: str | None, entity: str | None) -> None:
        self.columns = columns
        self.brand_zone = brand_zone
        self.zone = zone
        self.entity = entity
        self.hours_read: dict[str, str | None] = {}  # a chain has few opening hours and many stores

    def rows(self, reader: CsvReader) -> Iterator[StoreRow | RowProblem]:
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
            while cells and not cells[-1].strip() and len(cells) > self.columns.count:
                cells.pop()
            if any(cell.strip() for cell in cells):
                yield self.row(line, cells)

    def row(self, line: int, cells: Sequence[str]) -> StoreRow | RowProblem:
        if len(cells) != self.columns.count:
            return RowProblem(line, Problem.WRONG_CELL_COUNT, value=f"{len(cells)} / {self.columns.count}")
        said = {field: cells[place].strip() or None for field, place in self.columns.places.items()}
        for field, text in said.items():
            if text is None:
                continue
            if not text.isprintable():
                return RowProblem(line, Problem.BAD_CHARACTERS, field, ascii(text))
            if len(text) > LONGEST.get(field, 256):
                return RowProblem(line, Problem.TOO_LONG, field, text)
        return self._store(line, said)

    def _store(self, line: int, said: dict[str, str | None]) -> StoreRow | RowProblem:
        name, city = said.get("name"), said.get("city")
        if name is None:
            return RowProblem(line, Problem.NAME_MISSING, "name")
        latitude, longitude = said.get("latitude"), said.get("longitude")
        if (latitude is None) != (longitude is None):
            return RowProblem(line, Problem.PLACE_INCOMPLETE, "latitude")
        try:
            north, east = _degrees(latitude, 90), _degrees(longitude, 180)
        except ValueError:
            return RowProblem(line, Problem.NOT_A_COORDINATE, "latitude", f"{latitude}, {longitude}")
        zone = said.get("zone")
        try:
            check_zone(zone or "UTC")
        except ValueError:
            return RowProblem(line, Problem.ZONE_UNKNOWN, "zone", zone or "")
        zone_if_new = (
            zone
            or self.zone
            or zone_of_place(
                city=city or "",
                latitude=None if north is None else float(north),
                longitude=None if east is None else float(east),
                brand_zone=self.brand_zone,
            )
        )
        if zone_if_new is None:
            return RowProblem(line, Problem.ZONE_NEEDED, "zone", f"{city or ''} {north}, {east}")
        hours = said.get("hours")
        if hours is not None and (hours_json := self._hours(hours)) is None:
            return RowProblem(line, Problem.HOURS_UNREADABLE, "hours", hours)
        return StoreRow(
            line=line,
            code=said.get("code") or derived_code(city=city or "", name=name),
            code_is_derived=said.get("code") is None,
            name=name,
            name_en=said.get("name_en"),
            city=city,
            region=said.get("region"),
            address=said.get("address"),
            latitude=north,
            longitude=east,
            zone=zone,
            zone_if_new=zone_if_new,
            hours=hours_json if hours is not None else None,
            entity=said.get("entity") or self.entity,
        )

    def _hours(self, text: str) -> str | None:
        if text not in self.hours_read:
            try:
                self.hours_read[text] = json.dumps(parse_hours(text))
            except ValueError:
                self.hours_read[text] = None
        return self.hours_read[text]


def _degrees(text: str | None, most: int) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not value.is_finite() or abs(value) > most:
        raise ValueError(text)
    return value.quantize(MICRODEGREE)


def _plain(heading: str) -> str:
    return re.sub(r"[\s_\-()（）*:：]+", "", unicodedata.normalize("NFKC", heading)).lower()
