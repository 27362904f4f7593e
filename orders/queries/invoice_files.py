"""Invoices as rows for the brand's invoicing software: blue ones and the red ones that correct them."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from config.kernel.csv_export import as_csv
from config.kernel.ids import public
from orders.errors import ExportTooLong
from orders.models import Invoice, StoreOrder
from stores.models import Brand
from stores.queries import Books
from vouchers.models import Redemption

ROWS_AT_MOST = 200_000
DAYS_AT_MOST = 92
CHUNK = 2_000
KINDS = {Invoice.Kind.BLUE: "蓝字", Invoice.Kind.RED: "红字"}
TITLES = {Invoice.TitleKind.PERSONAL: "个人", Invoice.TitleKind.COMPANY: "企业"}
SOURCES = {Invoice.Source.REDEMPTION: "核销", Invoice.Source.STORE_ORDER: "门店订单"}
PREFIXES = {Invoice.Source.REDEMPTION: Redemption.PREFIX, Invoice.Source.STORE_ORDER: StoreOrder.PREFIX}
HUNDREDTH = Decimal(1).scaleb(-2)
HEADINGS = (
    *(
        "发票编号",
        "类型",
        "对应蓝字编号",
        "申请时间",
        "销售方名称",
        "销售方税号",
        "抬头类型",
        "购买方名称",
        "购买方税号",
    ),
    *("门店编码", "门店", "营业日", "来源", "来源编号", "券实付", "补差", "点单现金", "用后退款", "开票金额"),
)


def of_days(*, books: Books, since: date, until: date) -> QuerySet[Invoice]:
    """
    Invoices asked for, and corrected, from ``since`` until ``until`` (exclusive) in the brand's zone, in that order.

    Raises:
        ExportTooLong: more rows or days than one file may have.
    """
    zone = ZoneInfo(Brand.objects.values_list("zone", flat=True).get(pk=books.brand_id))
    begin, end = (datetime.combine(day, time(), zone) for day in (since, until))
    rows = Invoice.objects.filter(brand_id=books.brand_id, asked_at__gte=begin, asked_at__lt=end)
    if books.entity_ids is not None:
        rows = rows.filter(entity_id__in=books.entity_ids)
    count = rows.count()
    if until - since > timedelta(days=DAYS_AT_MOST) or count > ROWS_AT_MOST:
        raise ExportTooLong(lines=count, most_lines=ROWS_AT_MOST, most_days=DAYS_AT_MOST)
    return rows.select_related("store").order_by("asked_at", "id")


def csv_of(rows: QuerySet[Invoice]) -> Iterator[str]:
    """The invoices as CSV, one at a time."""
    return as_csv(HEADINGS, map(_cells, rows.iterator(chunk_size=CHUNK)))


def _cells(invoice: Invoice) -> list[object]:
    source = Invoice.Source(invoice.source_kind)
    zone = ZoneInfo(invoice.store.zone)
    return [
        invoice.public_id,
        KINDS[Invoice.Kind(invoice.kind)],
        public(Invoice.PREFIX, invoice.corrects_id) if invoice.corrects_id else "",
        invoice.asked_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        invoice.seller_name,
        invoice.seller_tax_number,
        TITLES[Invoice.TitleKind(invoice.title_kind)],
        invoice.title,
        invoice.tax_number,
        invoice.store.code,
        invoice.store.name,
        invoice.business_date.isoformat(),
        SOURCES[source],
        public(PREFIXES[source], invoice.source_id),
        invoice.voucher_fen * HUNDREDTH,
        invoice.surcharge_fen * HUNDREDTH,
        invoice.cash_fen * HUNDREDTH,
        -invoice.refunded_fen * HUNDREDTH,
        invoice.amount_fen * HUNDREDTH,
    ]
