"""CSV that a spreadsheet shows and does not run."""

import csv
import io
from decimal import Decimal

import pytest
from django.db import connection

from config.kernel.csv_export import HARMLESS, as_csv, as_csv_of_text, harmless

FORMULAS = [
    "=1+1",
    "+8613800000000",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =cmd|' /C calc'!A0",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    '=HYPERLINK("http://x")',
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_a_spreadsheet_would_run_is_text(formula: str) -> None:
    assert harmless(formula) == f"'{formula}"


@pytest.mark.django_db
def test_postgresql_makes_the_same_text_harmless() -> None:
    texts = [*FORMULAS, "大杯+芝士", "江南大道1店", "", "\\=1", "a=1", "^=", "['"]

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {HARMLESS.format('cell')} FROM unnest(%s::text[]) AS cell", [texts])  # noqa: S608 - a constant
        written = [row[0] for row in cursor.fetchall()]

    assert written == [harmless(text) for text in texts]


def test_text_in_chunks_is_the_same_file() -> None:
    rows = [("芝,士", "6"), ('引"号', "7"), ("两\n行", "8"), ("", "9")]

    assert "".join(as_csv_of_text(("名称", "价格"), [rows[:2], rows[2:]])) == "".join(as_csv(("名称", "价格"), rows))


@pytest.mark.parametrize(
    ("cell", "text"),
    [("大杯+芝士", "大杯+芝士"), (-500, "-500"), (None, ""), ("", ""), (1.5, "1.5"), (Decimal("-8.70"), "-8.70")],
)
def test_names_and_numbers_stay_as_they_are(cell: object, text: str) -> None:
    assert harmless(cell) == text


def test_an_export_is_read_back_by_any_reader() -> None:
    written = "".join(as_csv(("名称", "价格"), [("芝,士", 6), ('引"号', 7), ("两\n行", 8), ("=1", 9)]))

    assert written.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(written.removeprefix("\ufeff"))))
    assert rows == [["名称", "价格"], ["芝,士", "6"], ['引"号', "7"], ["两\n行", "8"], ["'=1", "9"]]


def test_rows_are_taken_one_at_a_time() -> None:
    taken = []

    def rows() -> "object":
        for number in range(3):
            taken.append(number)
            yield (number,)

    lines = as_csv(("n",), rows())  # type: ignore[arg-type]
    next(lines)
    assert taken == []
    next(lines)
    assert taken == [0]
