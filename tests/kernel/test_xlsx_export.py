"""Workbooks as a spreadsheet reads them: text is text, numbers are numbers, a long list goes on in a next sheet."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree

from config.kernel.xlsx_export import MAIN, Column, write_xlsx

FORMULAS = ["=1+1", "+8613800000000", "-2+3", "@SUM(A1)", "\t=1", "＝1", '=HYPERLINK("http://x")']


def written(rows: Sequence[Sequence[str]], *, sheet_rows: int = 10) -> zipfile.ZipFile:
    file = io.BytesIO()
    columns = (Column.TEXT, Column.MONEY)
    write_xlsx(file, headings=("名称", "金额"), columns=columns, rows=rows, sheet="明细", sheet_rows=sheet_rows)
    return zipfile.ZipFile(file)


def _numbers(rows: Iterable[tuple[str]], *, into: io.BytesIO, sheet_rows: int = 10_000) -> int:
    return write_xlsx(into, headings=("n",), columns=(Column.NUMBER,), rows=rows, sheet="明细", sheet_rows=sheet_rows)


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
    found = cells(written([(formula, "1") for formula in FORMULAS]))

    assert [row[0] for row in found[1:]] == [("inlineStr", formula) for formula in FORMULAS]
    assert b"<f>" not in written([(formula, "1") for formula in FORMULAS]).read("xl/worksheets/sheet1.xml")


def test_numbers_are_numbers_and_nothing_is_empty() -> None:
    file = io.BytesIO()
    columns = (Column.MONEY, Column.NUMBER, Column.NUMBER, Column.TEXT, Column.MONEY, Column.TEXT)
    row = ("-8.70", "3", "", "", "", "<&>%s")
    write_xlsx(file, headings=("",) * 6, columns=columns, rows=[row], sheet="明细")

    [_, found] = cells(zipfile.ZipFile(file))
    nothing = (None, None)
    assert found == [(None, "-8.70"), (None, "3"), nothing, nothing, nothing, ("inlineStr", "<&>%s")]


def test_what_xml_cannot_carry_is_left_out() -> None:
    [_, row] = cells(written([("芝\x00士\x1f\ud800&", "1")]))

    assert row[0] == ("inlineStr", "芝士&")


def test_a_long_list_goes_on_in_the_next_sheet() -> None:
    book = written([(str(number), str(number)) for number in range(25)])

    assert [len(cells(book, number)) for number in (1, 2, 3)] == [11, 11, 6]
    assert cells(book, 3)[1] == [("inlineStr", "20"), (None, "20")]
    assert "明细 3" in book.read("xl/workbook.xml").decode()


def test_a_sheet_that_is_just_full_has_no_empty_one_behind_it() -> None:
    assert _numbers([("1",)] * 20, into=io.BytesIO(), sheet_rows=10) == 2


def test_rows_are_taken_as_they_are_written() -> None:
    taken: list[int] = []
    file = io.BytesIO()

    def rows() -> Iterator[tuple[str]]:
        for number in range(2_000):
            taken.append(number)
            yield (str(number),)
            if number == 1_999:
                assert file.tell() > 0, "the first rows are in the file before the last are taken"

    _numbers(rows(), into=file)
    assert len(taken) == 2_000
