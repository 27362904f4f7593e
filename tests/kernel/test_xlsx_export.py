"""Workbooks as a spreadsheet reads them: text is text, numbers are numbers, a long list goes on in a next sheet."""

import io
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from xml.etree import ElementTree

from config.kernel.xlsx_export import MAIN, write_xlsx

FORMULAS = ["=1+1", "+8613800000000", "-2+3", "@SUM(A1)", "\t=1", "＝1", '=HYPERLINK("http://x")']


def written(rows: Sequence[Sequence[object]], *, sheet_rows: int = 10) -> zipfile.ZipFile:
    file = io.BytesIO()
    write_xlsx(file, headings=("名称", "金额"), rows=rows, sheet="明细", sheet_rows=sheet_rows)
    return zipfile.ZipFile(file)


def cells(book: zipfile.ZipFile, number: int = 1) -> list[list[tuple[str | None, str | None]]]:
    """(kind, text) of each cell, a list a row."""
    sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314 - our own
    rows = sheet.iter(f"{{{MAIN}}}row")
    return [[(cell.get("t"), "".join(cell.itertext()) or None) for cell in row] for row in rows]


def test_every_part_is_well_formed_and_named() -> None:
    book = written([])

    assert set(book.namelist()) == {
        "[Content_Types].xml",
        "_rels/.rels",
        "xl/_rels/workbook.xml.rels",
        "xl/styles.xml",
        "xl/workbook.xml",
        "xl/worksheets/sheet1.xml",
    }
    for name in book.namelist():
        ElementTree.fromstring(book.read(name))  # noqa: S314 - our own


def test_formulas_are_text() -> None:
    found = cells(written([(formula, 1) for formula in FORMULAS]))

    assert [row[0] for row in found[1:]] == [("inlineStr", formula) for formula in FORMULAS]
    assert b"<f>" not in written([(formula, 1) for formula in FORMULAS]).read("xl/worksheets/sheet1.xml")


def test_numbers_are_numbers_and_nothing_is_empty() -> None:
    [_, row] = cells(written([(Decimal("-8.70"), 3, None, "", "<&>")]))

    assert row == [(None, "-8.70"), (None, "3"), (None, None), (None, None), ("inlineStr", "<&>")]


def test_what_xml_cannot_carry_is_left_out() -> None:
    [_, row] = cells(written([("芝\x00士\x1f\ud800&", 1)]))

    assert row[0] == ("inlineStr", "芝士&")


def test_a_long_list_goes_on_in_the_next_sheet() -> None:
    book = written([(number, number) for number in range(25)])

    assert [len(cells(book, number)) for number in (1, 2, 3)] == [11, 11, 6]
    assert cells(book, 3)[1] == [(None, "20"), (None, "20")]
    assert "明细 3" in book.read("xl/workbook.xml").decode()


def test_a_sheet_that_is_just_full_has_no_empty_one_behind_it() -> None:
    assert write_xlsx(io.BytesIO(), headings=("n",), rows=[(1,)] * 20, sheet="明细", sheet_rows=10) == 2


def test_rows_are_taken_as_they_are_written() -> None:
    taken: list[int] = []
    file = io.BytesIO()

    def rows() -> "object":
        for number in range(2_000):
            taken.append(number)
            yield (number,)
            if number == 1_999:
                assert file.tell() > 0, "the first rows are in the file before the last are taken"

    write_xlsx(file, headings=("n",), rows=rows(), sheet="明细")  # type: ignore[arg-type]
    assert len(taken) == 2_000
