"""
A provider's bill of one day as a CSV file, in the shape of WeChat Pay's trade bill (``bill_type=ALL``).

A heading, a line for each payment and refund with every cell behind a backtick, the heading of the totals and one
line of totals. Columns are found by their headings; those nobody needs may be missing. Read a row at a time, so a
file may be as long as a day is busy. Amounts are yuan with two decimals in the file and fen here; fees have five
decimals and are 1/100,000 yuan until they are added up.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import IO
from zoneinfo import ZoneInfo

from orders.errors import BillColumnsMissing, BillCurrencyWrong, BillEmpty, BillIncomplete, BillTotalsWrong
from orders.providers.interface import CURRENCY
from stores.services.csv_lists import ENCODINGS, CsvReader, RowProblem

ZONE = ZoneInfo("Asia/Shanghai")
"""A provider's day is Beijing's, whatever zone a store lies in."""
COLUMNS = {
    "at": "交易时间",
    "transaction": "微信订单号",
    "reference": "商户订单号",
    "state": "交易状态",
    "currency": "货币种类",
    "refund_transaction": "微信退款单号",
    "refund_reference": "商户退款单号",
    "refund": "退款金额",
    "fee": "手续费",
    "amount": "订单金额",
}
TOTALS = ("总交易单数", "订单总金额", "退款总金额", "手续费总金额")
LONGEST_HEADING_BYTES = 4_096
TRADE, REFUND = "SUCCESS", "REFUND"
DAYS_OFF_AT_MOST = 2
"""A line may come a day late and a clock may be off; a line of another week says that this is another bill."""

AMOUNT = re.compile(r"-?[0-9]{1,12}\.[0-9]{2}")
FEE = re.compile(r"-?[0-9]{1,12}\.[0-9]{5}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
NAME = re.compile(r"[!-~]{1,64}")


class Problem(StrEnum):
    """Why a line of a bill cannot be taken; stable, like every code."""

    ROW_UNREADABLE = "row_unreadable"
    WRONG_CELL_COUNT = "wrong_cell_count"
    AMOUNT_UNREADABLE = "amount_unreadable"
    TIME_UNREADABLE = "time_unreadable"
    OF_ANOTHER_DAY = "of_another_day"
    CURRENCY_DIFFERS = "currency_differs"
    STATE_UNKNOWN = "state_unknown"
    REFERENCE_UNREADABLE = "reference_unreadable"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One payment or refund. ``reference`` is the merchant's (ours), ``transaction`` the provider's."""

    line: int
    is_refund: bool
    reference: str
    transaction: str
    amount_fen: int
    at: datetime


@dataclass(slots=True)
class Sums:
    """What the lines come to; compared with the file's own totals when they are reached."""

    lines: int = 0
    captured_fen: int = 0
    refunded_fen: int = 0
    fee_e5: int = 0

    @property
    def fee_fen(self) -> int:
        return round(self.fee_e5 / 1_000)

    def told(self) -> list[str]:
        return [str(self.lines), *(_yuan(fen) for fen in (self.captured_fen, self.refunded_fen, self.fee_fen))]


@dataclass
class OpenBill:
    """``rows`` once, as a stream; when it has ended without a refusal, the file is whole and ``sums`` are its own."""

    rows: Iterator[BillLine | RowProblem]
    sums: Sums = field(default_factory=Sums)


@contextmanager
def opened(source: IO[bytes], *, day: date) -> Iterator[OpenBill]:
    """
    Read ``source``, which can be sought, from its start; it is left open.

    Raises:
        BillEmpty, BillColumnsMissing: at once: no bill at all.
        BillIncomplete, BillTotalsWrong, BillCurrencyWrong: at the end of ``rows``.
    """
    # Bytes that are no text, such as a character cut in half, become a cell that nothing accepts.
    text = io.TextIOWrapper(source, encoding=_encoding(source), errors="replace", newline="")
    try:
        reader = csv.reader(text, strict=True)
        try:
            headings = [heading.strip() for heading in next(reader)]
        except (StopIteration, csv.Error):
            raise BillEmpty from None
        if missing := [heading for heading in COLUMNS.values() if heading not in headings]:
            raise BillColumnsMissing(headings=", ".join(missing))
        sums = Sums()
        yield OpenBill(_Reading(reader, headings, sums, day).rows(), sums)
    finally:
        text.detach()  # the wrapper would close what is not ours


def _encoding(source: IO[bytes]) -> str:
    """By the heading, which is Chinese in every bill."""
    source.seek(0)
    heading = source.readline(LONGEST_HEADING_BYTES)
    source.seek(0)
    for encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            heading.decode(encoding)
            return encoding
    raise BillEmpty


class _Reading:
    def __init__(self, reader: CsvReader, headings: Sequence[str], sums: Sums, day: date) -> None:
        self._reader, self._sums, self._width = reader, sums, len(headings)
        self._places = {name: headings.index(heading) for name, heading in COLUMNS.items()}
        begins = datetime.combine(day, time())
        off = timedelta(days=DAYS_OFF_AT_MOST)
        self._from, self._until = begins - off, begins + timedelta(days=1) + off
        self._is_whole = True
        self._foreign = 0

    def rows(self) -> Iterator[BillLine | RowProblem]:
        ended = 1
        while True:
            line = ended + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                raise BillIncomplete(lines=self._sums.lines) from None
            except csv.Error as error:
                ended, self._is_whole = self._reader.line_num, False
                yield RowProblem(line, Problem.ROW_UNREADABLE, value=str(error))
                continue
            ended = self._reader.line_num
            if not cells:
                continue
            if cells[0].strip() == TOTALS[0]:
                self._require_totals(cells)
                return
            found = self._line(line, cells)
            self._is_whole = self._is_whole and isinstance(found, BillLine)
            yield found

    def _line(self, line: int, cells: Sequence[str]) -> BillLine | RowProblem:
        if len(cells) != self._width:
            return RowProblem(line, Problem.WRONG_CELL_COUNT, value=f"{len(cells)} / {self._width}")
        said = {name: cells[place].lstrip("`").strip() for name, place in self._places.items()}
        is_refund = said["state"] == REFUND
        if not is_refund and said["state"] != TRADE:
            return RowProblem(line, Problem.STATE_UNKNOWN, COLUMNS["state"], said["state"])
        if said["currency"] != CURRENCY:
            self._foreign += 1
            return RowProblem(line, Problem.CURRENCY_DIFFERS, COLUMNS["currency"], said["currency"])
        names = ("refund_reference", "refund_transaction") if is_refund else ("reference", "transaction")
        for name in names:
            if not NAME.fullmatch(said[name]):
                return RowProblem(line, Problem.REFERENCE_UNREADABLE, COLUMNS[name], ascii(said[name]))
        amount = "refund" if is_refund else "amount"
        for name, form in ((amount, AMOUNT), ("fee", FEE)):
            if not form.fullmatch(said[name]):
                return RowProblem(line, Problem.AMOUNT_UNREADABLE, COLUMNS[name], said[name])
        fen = int(said[amount].replace(".", ""))
        if fen <= 0:
            return RowProblem(line, Problem.AMOUNT_UNREADABLE, COLUMNS[amount], said[amount])
        if not TIME.fullmatch(said["at"]):
            return RowProblem(line, Problem.TIME_UNREADABLE, COLUMNS["at"], said["at"])
        try:
            at = datetime.fromisoformat(said["at"])
        except ValueError:
            return RowProblem(line, Problem.TIME_UNREADABLE, COLUMNS["at"], said["at"])
        if not self._from <= at < self._until:
            return RowProblem(line, Problem.OF_ANOTHER_DAY, COLUMNS["at"], said["at"])
        self._count(is_refund, fen, said["fee"])
        return BillLine(line, is_refund, said[names[0]], said[names[1]], fen, at.replace(tzinfo=ZONE))

    def _count(self, is_refund: bool, fen: int, fee: str) -> None:
        sums = self._sums
        sums.lines += 1
        sums.fee_e5 += int(fee.replace(".", ""))
        if is_refund:
            sums.refunded_fen += fen
        else:
            sums.captured_fen += fen

    def _require_totals(self, headings: Sequence[str]) -> None:
        """The file ends with its totals, and they are those of its lines; where lines are bad, these come first."""
        try:
            cells = next(self._reader, None)
            after = next(self._reader, None)
        except csv.Error:
            raise BillIncomplete(lines=self._sums.lines) from None
        if cells is None or len(cells) != len(headings) or after:
            raise BillIncomplete(lines=self._sums.lines)
        if self._foreign and self._foreign >= self._sums.lines:
            raise BillCurrencyWrong(currency=CURRENCY, lines=self._foreign)
        if not self._is_whole:
            return  # bad lines are not in the sums, and are what the refusal will name
        plain = [heading.strip() for heading in headings]
        stated = [cells[plain.index(name)].lstrip("`").strip() if name in plain else "" for name in TOTALS]
        if stated != (found := self._sums.told()):
            raise BillTotalsWrong(stated=" / ".join(stated), found=" / ".join(found))


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
