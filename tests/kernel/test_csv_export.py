"""CSV that a spreadsheet shows and does not run."""

import csv
import io
from decimal import Decimal

import pytest

from config.kernel.csv_export import as_csv, harmless


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "+8613800000000",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =cmd|' /C calc'!A0",
        "＝1",
        '=HYPERLINK("http://x")',
    ],
)
def test_what_a_spreadsheet_would_run_is_text(formula: str) -> None:
    assert harmless(formula) == f"'{formula}"


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
