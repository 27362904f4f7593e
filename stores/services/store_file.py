"""
A list of stores, row by row: what each says of a store, and what it says wrongly.

Nothing here knows the database.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import IO

from stores.business_days import check_hours, check_zone
from stores.services import csv_lists
from stores.services.csv_lists import Cells, Columns, ListForm, Problem, RowProblem
from stores.services.store_codes import derived_code
from stores.services.store_zones import zone_of_place

MICRODEGREE = Decimal("0.000001")  # 11 cm
HOURS_SPAN = re.compile(r"(\d{1,2}):(\d\d)[-–—~～至](\d{1,2}):(\d\d)")
AROUND_THE_CLOCK = {"24小时", "全天", "24h", "24hours"}

HEADINGS = {
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
LONGEST = {"code": 32, "name": 128, "name_en": 128, "city": 64, "address": 256, "zone": 48, "region": 32, "entity": 32}
"""As the columns of ``Store`` are; a test holds them together."""

FORM = ListForm(headings=HEADINGS, longest=LONGEST, required=("name",))


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
        ListEmpty, ListEncodingUnknown, ListFieldUnknown, HeadingNotThere, HeadingAmbiguous, HeadingsIncomplete:
            as ``csv_lists.opened`` does.
    """
    with csv_lists.opened(source, form=FORM, mapping=mapping) as found:
        reading = _Reading(brand_zone=brand_zone, zone=zone, entity=entity)
        rows = (one if isinstance(one, RowProblem) else reading.row(one) for one in found.rows)
        yield StoreFile(encoding=found.encoding, columns=found.columns, rows=rows)


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

    def __init__(self, *, brand_zone: str, zone: str | None, entity: str | None) -> None:
        self.brand_zone = brand_zone
        self.zone = zone
        self.entity = entity
        self.hours_read: dict[str, str | None] = {}  # a chain has few opening hours and many stores

    def row(self, cells: Cells) -> StoreRow | RowProblem:
        line, said = cells.line, cells.said
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
