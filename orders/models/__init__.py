from orders.models.ledger import Account, LedgerTransfer
from orders.models.payments import Payment, PaymentNotice, Refund, RefundRequest
from orders.models.purchases import Purchase
from orders.models.surcharges import Surcharge

__all__ = ["Account", "LedgerTransfer", "Payment", "PaymentNotice", "Purchase", "Refund", "RefundRequest", "Surcharge"]
