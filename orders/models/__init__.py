from orders.models.after_sale import AfterSaleCase
from orders.models.exports import ExportPiece, StatementExport
from orders.models.invoices import Invoice, InvoiceLine
from orders.models.ledger import Account, LedgerTransfer
from orders.models.payments import Payment, PaymentNotice, Refund, RefundRequest
from orders.models.payouts import BankAccount, Payout, PayoutBatch
from orders.models.purchases import Purchase
from orders.models.reconciliation import BillDifference, BillFile, DayClose
from orders.models.settlement import CashRule, ClosedStatement, Settlement, SettlementBooks, StoreStatement
from orders.models.store_orders import AppliedVoucher, PickupCounter, StoreOrder, StoreOrderLine
from orders.models.surcharges import Surcharge

__all__ = [
    "Account",
    "AfterSaleCase",
    "AppliedVoucher",
    "BankAccount",
    "BillDifference",
    "BillFile",
    "CashRule",
    "ClosedStatement",
    "DayClose",
    "ExportPiece",
    "Invoice",
    "InvoiceLine",
    "LedgerTransfer",
    "Payment",
    "PaymentNotice",
    "Payout",
    "PayoutBatch",
    "PickupCounter",
    "Purchase",
    "Refund",
    "RefundRequest",
    "Settlement",
    "SettlementBooks",
    "StatementExport",
    "StoreOrder",
    "StoreOrderLine",
    "StoreStatement",
    "Surcharge",
]
