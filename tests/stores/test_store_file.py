"""A list of stores as spreadsheets write it: encodings, headings, hours, codes and zones; no database."""

import io
from collections.abc import Mapping

import pytest

from config.kernel.errors import DomainError
from stores.business_days import check_zone
from stores.models import Store
from stores.services.csv_lists import Problem, RowProblem, find_columns
from stores.services.store_codes import derived_code, initials
from stores.services.store_file import FORM, LONGEST, StoreRow, opened, parse_hours
from stores.services.store_zones import ZONES, zone_of_place

HEADING = "编码,门店名称,城市,纬度,经度\n"


def read(
    text: str | bytes, *, mapping: Mapping[str, str] | None = None, encoding: str = "utf-8"
) -> list[StoreRow | RowProblem]:
    source = io.BytesIO(text if isinstance(text, bytes) else text.encode(encoding))
    with opened(source, mapping=mapping or {}, brand_zone="Asia/Shanghai", zone=None, entity=None) as file:
        rows = list(file.rows)
    assert not source.closed
    return rows


def problem_of(text: str) -> tuple[int, Problem, str]:
    (found,) = read(text)
    assert isinstance(found, RowProblem)
    return found.line, found.code, found.column


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_the_encoding_is_found(encoding: str) -> None:
    (row,) = read(HEADING + "A1,江南大道店,杭州市,30.2,120.1\n", encoding=encoding)

    assert isinstance(row, StoreRow)
    assert (row.code, row.name, row.city) == ("A1", "江南大道店", "杭州市")


def test_the_encoding_is_found_where_chinese_comes_late() -> None:
    lines = "".join(f"A{number},Store {number}\n" for number in range(20_000))

    rows = read(f"code,name\n{lines}Z,江南大道店\n", encoding="gbk")

    assert isinstance(rows[-1], StoreRow)
    assert rows[-1].name == "江南大道店"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "list_empty"),
        (b"\n\n", "list_empty"),
        (b"name\n\xff\xfe\xff\n", "list_encoding_unknown"),
        ("编码,城市\n".encode(), "headings_incomplete"),
        ("名称,店名\n".encode(), "heading_ambiguous"),
    ],
)
def test_what_is_no_list_of_stores_is_refused(text: bytes, code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        read(text)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("mapping", "code"), [({"colour": "名称"}, "list_field_unknown"), ({"city": "省"}, "heading_not_there")]
)
def test_a_mapping_that_fits_nothing_is_refused(mapping: dict[str, str], code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        read("名称,店名\n", mapping=mapping)
    assert refusal.value.code == code


def test_a_mapping_comes_before_what_headings_are_called() -> None:
    columns = find_columns(["Store Name", "名称", " lat ", "Store_ID", "备注"], form=FORM, mapping={"name": "名称"})

    assert columns.headings == {"name": "名称", "latitude": " lat ", "code": "Store_ID"}
    assert list(columns.ignored) == ["Store Name", "备注"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    (row,) = read(delimiter.join(["编码", "名称"]) + "\r\n" + delimiter.join(["A1", "店"]) + "\r\n")
    assert isinstance(row, StoreRow)
    assert row.code == "A1"


@pytest.mark.parametrize("formula", ["=1+1", '=HYPERLINK(""http://x"")', "+8613812345678", "-2+3", "@SUM(A1)"])
def test_a_formula_is_a_strange_name_and_nothing_more(formula: str) -> None:
    (row,) = read(f'名称\n"{formula}"\n')
    assert isinstance(row, StoreRow)
    assert row.name == formula.replace('""', '"')


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("A1,,杭州市,30.2,120.1", (Problem.NAME_MISSING, "name")),
        ("A1,店,杭州市,30.2", (Problem.WRONG_CELL_COUNT, "")),
        ("A1,店,杭州市,30.2,120.1,x", (Problem.WRONG_CELL_COUNT, "")),
        ('A1,"店"x,杭州市,30.2,120.1', (Problem.ROW_UNREADABLE, "")),
        ("A1,店,杭州市,30.2,", (Problem.PLACE_INCOMPLETE, "latitude")),
        ("A1,店,杭州市,北纬30,120.1", (Problem.NOT_A_COORDINATE, "latitude")),
        ("A1,店,杭州市,NaN,120.1", (Problem.NOT_A_COORDINATE, "latitude")),
        ("A1,店,杭州市,90.1,120.1", (Problem.NOT_A_COORDINATE, "latitude")),
        ("A1,店,杭州市,30.2,1e400", (Problem.NOT_A_COORDINATE, "latitude")),
        ("A1,店,未知城市,40.7,-74.0", (Problem.ZONE_NEEDED, "zone")),
        ("A1,店\x00,杭州市,30.2,120.1", (Problem.BAD_CHARACTERS, "name")),
        (f"A1,{'店' * 129},杭州市,30.2,120.1", (Problem.TOO_LONG, "name")),
        (f"{'A' * 33},店,杭州市,30.2,120.1", (Problem.TOO_LONG, "code")),
    ],
)
def test_a_row_that_cannot_be_taken_says_why_and_where(line: str, problem: tuple[Problem, str]) -> None:
    assert problem_of(f"{HEADING}\n{line}\n") == (3, *problem)


def test_lines_are_counted_as_the_file_has_them() -> None:
    rows = read('编码,名称\nA1,"两\n行"\n\nA2,店\nA3,\nA4,"开\n')

    assert [(row.line, row.code) for row in rows] == [
        (2, Problem.BAD_CHARACTERS),
        (5, "A2"),
        (6, Problem.NAME_MISSING),
        (7, Problem.ROW_UNREADABLE),
    ]


def test_empty_cells_behind_the_last_column_and_empty_lines_say_nothing() -> None:
    assert [row.line for row in read("编码,名称\nA1,店,,\n,\n  ,\nA2,店\n")] == [2, 5]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("10:00-22:00", [["10:00", "22:00"]]),
        ("9:30～22：00", [["09:30", "22:00"]]),
        ("07:00-10:00、11:00-21:00", [["07:00", "10:00"], ["11:00", "21:00"]]),
        ("18:00-02:00", [["18:00", "26:00"]]),
        ("24小时", [["00:00", "24:00"]]),
        ("10:00至22:00", [["10:00", "22:00"]]),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, spans: list[list[str]]) -> None:
    assert parse_hours(text) == dict.fromkeys("1234567", spans)


@pytest.mark.parametrize("text", ["", "早上", "10-22", "10:00-22:00,21:00-23:00", "10:61-11:00", "25:00-26:00"])
def test_hours_that_say_nothing_definite_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"span|time|last"):
        parse_hours(text)


def test_hours_come_as_a_problem_of_their_row() -> None:
    assert problem_of("名称,营业时间\n店,早上到晚上\n") == (2, Problem.HOURS_UNREADABLE, "hours")
    assert problem_of("名称,时区\n店,北京时间\n") == (2, Problem.ZONE_UNKNOWN, "zone")


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("杭州江南大道", "HZJNDD"),
        ("深圳万象GO店", "SZWXGOD"),
        ("１号店", "1HD"),
        ("銅鑼灣", ""),
        ("啊波", "AB"),
        ("做座", "ZZ"),
        ("重庆厦门长沙番禺", "CQXMCSPY"),
    ],
)
def test_initials_come_from_the_order_of_gb_2312(text: str, letters: str) -> None:
    assert initials(text) == letters


def test_a_derived_code_is_readable_stable_and_its_own() -> None:
    assert derived_code(city="深圳市", name="南山宝能店") == derived_code(city="深圳市", name="南山宝能店")
    assert derived_code(city="深圳市", name="南山宝能店").startswith("SZ-NSBN-")
    assert derived_code(city="杭州市", name="杭州亲橙里店").startswith("HZ-QCL-")
    assert derived_code(city="", name="銅鑼灣").count("-") == 0
    names = [f"江南大道{number}店" for number in range(20_000)]
    assert len({derived_code(city="杭州市", name=name) for name in names}) == len(names)
    assert max(len(derived_code(city="呼和浩特市" * 4, name=name * 9)) for name in names[:9]) <= 18


@pytest.mark.parametrize(
    ("city", "zone"),
    [
        ("新加坡", "Asia/Singapore"),
        ("Singapore", "Asia/Singapore"),
        ("香港特别行政區", "Asia/Hong_Kong"),
        ("New York", "America/New_York"),
        ("杭州市", "Asia/Shanghai"),
        ("乌鲁木齐市", "Asia/Shanghai"),
        ("", "Asia/Shanghai"),
    ],
)
def test_a_city_has_its_own_zone_or_the_brands(city: str, zone: str) -> None:
    assert zone_of_place(city=city, latitude=None, longitude=None, brand_zone="Asia/Shanghai") == zone


def test_a_place_plainly_outside_china_is_not_guessed() -> None:
    assert zone_of_place(city="?", latitude=1.3, longitude=103.8, brand_zone="Asia/Shanghai") is None
    assert zone_of_place(city="?", latitude=43.8, longitude=87.6, brand_zone="Asia/Shanghai") == "Asia/Shanghai"
    assert zone_of_place(city="?", latitude=43.8, longitude=7.4, brand_zone="Europe/Paris") == "Europe/Paris"


def test_the_tables_agree_with_the_schema_and_the_zone_database() -> None:
    for zone in ZONES:
        check_zone(zone)
    for field in ("code", "name", "name_en", "city", "address", "zone"):
        assert Store._meta.get_field(field).max_length == LONGEST[field]
