"""Statement lines as rows of a file for people: headings, ids as they are shown elsewhere, yuan with two places."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from config.kernel.csv_export import as_csv
from config.kernel.ids import public
from orders.models import Purchase, Settlement
from orders.queries.statement_lines import StatementLine
from vouchers.models import DealTerms, Redemption

ZONE = ZoneInfo("Asia/Shanghai")
HEADINGS = (
    "明细编号", "类型", "账单日", "营业日", "结算时间", "门店编码", "门店", "结算主体编码", "结算主体", "核销编号",
    "订单编号", "规则版本", "规则序号", "责任方", "实付", "门店分成", "品牌补贴", "品牌服务费", "门店承担", "达人佣金",
    "服务商佣金", "平台服务费", "主体应得", "品牌留存", "已在门店收银",
)  # fmt: skip
KINDS = {
    Settlement.Source.REDEMPTION: "核销",
    Settlement.Source.SURCHARGE: "补差",
    Settlement.Source.STORE_ORDER: "点单现金",
    Settlement.Source.AFTER_USE: "用后退款",
}
FAULTS = {"": "", "store": "门店", "brand": "品牌", "customer": "顾客"}
HUNDREDTH = Decimal(1).scaleb(-2)


def cells_of(line: StatementLine) -> list[object]:
    """One line in the order of ``HEADINGS``."""
    return [
        public(Settlement.PREFIX, line.id),
        KINDS[line.source_kind],  # type: ignore[index] # the values of a TextChoices are its text
        line.day.isoformat(),
        line.business_date.isoformat(),
        _time(line.settled_at),
        line.store_code,
        line.store_name,
        line.entity_code,
        line.entity_name,
        _id(Redemption.PREFIX, line.redemption_id),
        _id(Purchase.PREFIX, line.purchase_id),
        _id(DealTerms.PREFIX, line.terms_id),
        line.rule,
        FAULTS[line.fault],
        line.paid_fen * HUNDREDTH,
        line.share_fen * HUNDREDTH,
        line.subsidy_fen * HUNDREDTH,
        line.fee_fen * HUNDREDTH,
        line.borne_fen * HUNDREDTH,
        line.promoter_fen * HUNDREDTH,
        line.provider_fen * HUNDREDTH,
        line.platform_fen * HUNDREDTH,
        line.entity_fen * HUNDREDTH,
        line.brand_fen * HUNDREDTH,
        line.till_fen * HUNDREDTH,
    ]


def as_csv_lines(lines: Iterator[StatementLine]) -> Iterator[str]:
    """The lines as CSV, one at a time."""
    return as_csv(HEADINGS, map(cells_of, lines))


def _id(prefix: str, id: UUID | None) -> str:
    return public(prefix, id) if id else ""


def _time(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
