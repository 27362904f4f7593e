"""Reads of orders."""

from orders.queries.bills import differences, open_differences
from orders.queries.board import board_of_store
from orders.queries.purchases import PurchaseStatus, purchase_statuses, purchases_of
from orders.queries.refunds import (
    PaidBy,
    brand_of_refund,
    paid_by,
    refund_for_caller,
    refunds_given_up,
    refunds_of_brand,
)
from orders.queries.surcharges import surcharges_of_store

__all__ = [
    "PaidBy",
    "PurchaseStatus",
    "board_of_store",
    "brand_of_refund",
    "differences",
    "open_differences",
    "paid_by",
    "purchase_statuses",
    "purchases_of",
    "refund_for_caller",
    "refunds_given_up",
    "refunds_of_brand",
    "surcharges_of_store",
]
