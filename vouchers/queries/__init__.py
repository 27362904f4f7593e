"""Reads of vouchers."""

from vouchers.queries.frozen_terms import terms

__all__ = ["terms"]
