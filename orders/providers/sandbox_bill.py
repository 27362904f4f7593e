"""
The sandbox's bill of a day as a file, in the shape that ``bill_file`` reads, and what may be wrong with it on demand.

Whether a movement meets a fault is decided by its transaction alone, so that a bill is the same however often it is
fetched, and what one day's bill holds back the next day's brings.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Annotated

import msgspec

from orders.providers.bill_file import COLUMNS, REFUND, TOTALS, TRADE, ZONE
from orders.providers.interface import CURRENCY

HEADINGS = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
    "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额", "微信退款单号", "商户退款单号", "退款金额",
    "充值券退款金额", "退款类型", "退款状态", "商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额",
    "费率备注",
)  # fmt: skip
TOTAL_HEADINGS = (
    "总交易单数",
    "应结订单总金额",
    "退款总金额",
    "充值券退款总金额",
    "手续费总金额",
    "订单总金额",
    "申请退款总金额",
)
assert set(COLUMNS.values()) <= set(HEADINGS)
assert set(TOTALS) <= set(TOTAL_HEADINGS)
MERCHANT = "1900000109"
FEE_BPS = 60

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Movement:
    """A payment taken or a refund paid; ``payment`` and ``paid_by`` are what a refund goes back to."""

    is_refund: bool
    reference: str
    transaction: str
    amount_fen: int
    currency: str
    at: datetime
    payment: str = ""
    paid_by: str = ""


class BillFaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Shares of a bill's lines, from 0 to 1: left out, invented beside, of another amount, a day late, printed twice.
    ``truncated`` ends the file in its middle, ``currency`` prints another one on every line.
    """

    missing: Share = 0.0
    extra: Share = 0.0
    amount: Share = 0.0
    late: Share = 0.0
    duplicate: Share = 0.0
    truncated: bool = False
    currency: str = CURRENCY
    seed: int = 0

    def happens(self, fault: str, transaction: str) -> bool:
        share: float = getattr(self, fault)
        if not share:
            return False
        digest = sha256(f"{self.seed} {fault} {transaction}".encode()).digest()
        return int.from_bytes(digest[:7]) < share * 2**56


@dataclass
class _Totals:
    lines: int = 0
    captured_fen: int = 0
    refunded_fen: int = 0
    fee_fen: int = 0

    def count(self, movement: Movement, fee_fen: int) -> None:
        self.lines += 1
        self.fee_fen += fee_fen
        if movement.is_refund:
            self.refunded_fen += movement.amount_fen
        else:
            self.captured_fen += movement.amount_fen


def begins(day: date) -> datetime:
    """A day of the provider begins in Beijing."""
    return datetime.combine(day, time(), tzinfo=ZONE)


def written(day: date, movements: Iterable[Movement], faults: BillFaults) -> Iterator[str]:
    """The lines of the bill of ``day``; ``movements`` are those of it and of the day before, in their order."""
    totals, since = _Totals(), begins(day)
    yield ",".join(HEADINGS) + "\r\n"
    for movement in _billed(movements, since, faults):
        fee_fen = _fee_fen(movement)
        totals.count(movement, fee_fen)
        yield _line(_cells(movement, fee_fen, faults.currency))
    if faults.truncated:
        return
    yield ",".join(TOTAL_HEADINGS) + "\r\n"
    captured, refunded = _yuan(totals.captured_fen), _yuan(totals.refunded_fen)
    yield _line([totals.lines, captured, refunded, "0.00", _yuan(totals.fee_fen), captured, refunded])


def _billed(movements: Iterable[Movement], since: datetime, faults: BillFaults) -> Iterator[Movement]:
    until = since + timedelta(days=1)
    for movement in movements:
        if movement.currency != CURRENCY or movement.at >= until:
            continue  # another currency has a bill of its own
        is_late = faults.happens("late", movement.transaction)
        if is_late == (movement.at >= since) or faults.happens("missing", movement.transaction):
            continue
        if faults.happens("amount", movement.transaction):
            movement = replace(movement, amount_fen=movement.amount_fen + 100)
        yield movement
        if faults.happens("duplicate", movement.transaction):
            yield movement
        if faults.happens("extra", movement.transaction):
            yield _invented(movement)


def _invented(beside: Movement) -> Movement:
    """A payment that nobody of ours asked for, or a second capture whose notice got lost."""
    digest = sha256(beside.transaction.encode()).hexdigest()[:24]
    reference = beside.payment if beside.is_refund else beside.reference
    return Movement(False, reference, f"sbx_{digest}", beside.amount_fen, beside.currency, beside.at)


def _cells(movement: Movement, fee_fen: int, currency: str) -> list[object]:
    amount, nothing = _yuan(movement.amount_fen), "0.00"
    of_trade = dict.fromkeys(HEADINGS, "") | {
        "交易时间": movement.at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "商户号": MERCHANT,
        "特约商户号": "0",
        "微信订单号": movement.transaction,
        "商户订单号": movement.reference,
        "交易类型": "JSAPI",
        "交易状态": TRADE,
        "付款银行": "OTHERS",
        "货币种类": currency,
        "应结订单金额": amount,
        "代金券金额": nothing,
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": nothing,
        "充值券退款金额": nothing,
        "手续费": f"{_yuan(fee_fen)}000",
        "费率": f"{FEE_BPS / 100:.2f}%",
        "订单金额": amount,
        "申请退款金额": nothing,
    }
    if movement.is_refund:
        of_trade |= {
            "微信订单号": movement.paid_by,
            "商户订单号": movement.payment,
            "交易状态": REFUND,
            "应结订单金额": nothing,
            "微信退款单号": movement.transaction,
            "商户退款单号": movement.reference,
            "退款金额": amount,
            "退款类型": "ORIGINAL",
            "退款状态": "SUCCESS",
            "订单金额": nothing,
            "申请退款金额": amount,
        }
    return list(of_trade.values())


def _fee_fen(movement: Movement) -> int:
    fee = (movement.amount_fen * FEE_BPS + 5_000) // 10_000
    return -fee if movement.is_refund else fee


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _line(cells: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([f"`{cell}" for cell in cells])
    return text.getvalue()
