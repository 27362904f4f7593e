"""CSV for people who open it in a spreadsheet: the one way in which this project writes it."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_FORMULA = "".join(FORMULA_BEGINS).replace("-", r"\-")
HARMLESS = f"CASE WHEN {{0}} ~ '^ *[{_FORMULA}]' THEN chr(39) || {{0}} ELSE {{0}} END"
"""SQL of ``harmless``, of a column of text."""
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def as_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """
    Lines of a CSV that a spreadsheet shows and does not run, with the mark that tells Excel it is UTF-8.

    Rows are taken one at a time, so an export is as long as it likes.
    """
    yield BOM + _line(headings)
    for row in rows:
        yield _line(row)


def as_csv_of_text(headings: Sequence[str], chunks: Iterable[Iterable[Sequence[str]]]) -> Iterator[str]:
    """``as_csv`` of rows that are all text and harmless already, a chunk at a time."""
    yield BOM + _line(headings)
    for chunk in chunks:
        written = io.StringIO()
        csv.writer(written, lineterminator="\r\n").writerows(chunk)
        yield written.getvalue()


def harmless(cell: object) -> str:
    """
    The cell's text; where a spreadsheet would read text as a formula, an apostrophe stands before it (OWASP).

    Numbers are numbers: a negative amount stays one.
    """
    text = "" if cell is None else str(cell)
    is_text = not isinstance(cell, int | float | Decimal)
    return f"'{text}" if is_text and text.lstrip(" ").startswith(FORMULA_BEGINS) else text


def _line(cells: Sequence[object]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return written.getvalue()
