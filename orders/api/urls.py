"""The JSON addresses of orders, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from orders.api import statements
from orders.api.after_sale import DeskTimeline, OwnTimeline, Search
from orders.api.bills import (
    Bills,
    BookDifference,
    DayCloses,
    Differences,
    ExplainDifference,
    OneBill,
)
from orders.api.cases import ApproveCase, Cases, DeclineCase, OneCase
from orders.api.invoices import InvoiceAmount, Invoices, InvoicesFile, OneInvoice
from orders.api.order_board import AcceptOrder, CollectOrder, MakeOrder, OrderBoard, ReadyOrder, RejectOrder
from orders.api.payments import PaymentAttempts, PaymentNotices
from orders.api.payouts import Batches, BatchFile, BatchPayouts, BatchResults, EntityBankAccount
from orders.api.purchases import PurchaseDetail, PurchaseList
from orders.api.quotes import Quotes
from orders.api.refunds import RefundList, RetryRefund, VoucherRefunds
from orders.api.slots import StoreSlots
from orders.api.statement_exports import OneStatementExport, StatementExportFile, StatementExports, StatementLinesFile
from orders.api.store_orders import CancelOrder, OneOrder, OrderPayments, Orders, StoreOrders
from orders.api.surcharges import AskSurcharge, OneSurcharge, StoreSurcharges
from orders.api.using import UseVoucher

urlpatterns: list[URLPattern | URLResolver] = [
    path("stores/<str:store>/quotes", Quotes.as_view()),
    path("stores/<str:store>/slots", StoreSlots.as_view()),
    path("stores/<str:store>/orders", StoreOrders.as_view()),
    path("purchases", PurchaseList.as_view()),
    path("purchases/<str:purchase>", PurchaseDetail.as_view()),
    path("purchases/<str:purchase>/payment", PaymentAttempts.as_view()),
    path("payments/<str:provider>/notices", PaymentNotices.as_view()),
    path("after-sale/search", Search.as_view()),
    path("after-sale/cases", Cases.as_view()),
    path("after-sale/cases/<str:case>", OneCase.as_view()),
    path("after-sale/cases/<str:case>/approve", ApproveCase.as_view()),
    path("after-sale/cases/<str:case>/decline", DeclineCase.as_view()),
    path("after-sale/vouchers/<str:voucher>", DeskTimeline.as_view()),
    path("vouchers/<str:voucher>/timeline", OwnTimeline.as_view()),
    path("vouchers/<str:voucher>/use", UseVoucher.as_view()),
    path("vouchers/<str:voucher>/refund", VoucherRefunds.as_view()),
    path("refunds", RefundList.as_view()),
    path("bills", Bills.as_view()),
    path("bills/<str:bill>", OneBill.as_view()),
    path("bill-differences", Differences.as_view()),
    path("bill-differences/<str:difference>/explanation", ExplainDifference.as_view()),
    path("bill-differences/<str:difference>/booking", BookDifference.as_view()),
    path("day-closes", DayCloses.as_view()),
    path("entities/<str:entity>/bank-account", EntityBankAccount.as_view()),
    path("payout-batches", Batches.as_view()),
    path("payout-batches/<str:batch>/payouts", BatchPayouts.as_view()),
    path("payout-batches/<str:batch>/file", BatchFile.as_view()),
    path("payout-batches/<str:batch>/results", BatchResults.as_view()),
    path("statement-lines.csv", StatementLinesFile.as_view()),
    path("statement-exports", StatementExports.as_view()),
    path("statement-exports/<str:export>", OneStatementExport.as_view()),
    path("statement-exports/<str:export>/file", StatementExportFile.as_view()),
    path("invoices", Invoices.as_view()),
    path("invoices.csv", InvoicesFile.as_view()),
    path("invoices/amount", InvoiceAmount.as_view()),
    path("invoices/<str:invoice>", OneInvoice.as_view()),
    path("refunds/<str:refund>/retry", RetryRefund.as_view()),
    path("redemptions/<str:redemption>/surcharges", AskSurcharge.as_view()),
    path("statements", statements.StatementDays.as_view()),
    path("statements/sums", statements.StatementSums.as_view()),
    path("statements/lines", statements.StatementLines.as_view()),
    path("statements/closed", statements.ClosedStatements.as_view()),
    path("statements/months/<str:month>/close", statements.MonthClose.as_view()),
    path("cash-rules", statements.CashRules.as_view()),
    path("surcharges/<str:surcharge>", OneSurcharge.as_view()),
    path("stores/<str:store>/surcharges", StoreSurcharges.as_view()),
    path("stores/<str:store>/orders/board", OrderBoard.as_view()),
    path("stores/<str:store>/orders/<str:order>/accept", AcceptOrder.as_view()),
    path("stores/<str:store>/orders/<str:order>/making", MakeOrder.as_view()),
    path("stores/<str:store>/orders/<str:order>/ready", ReadyOrder.as_view()),
    path("stores/<str:store>/orders/<str:order>/collected", CollectOrder.as_view()),
    path("stores/<str:store>/orders/<str:order>/reject", RejectOrder.as_view()),
    path("orders", Orders.as_view()),
    path("orders/<str:order>", OneOrder.as_view()),
    path("orders/<str:order>/cancel", CancelOrder.as_view()),
    path("orders/<str:order>/payment", OrderPayments.as_view()),
]
