"""What can be invoiced of a use or an order: the lines it settled to, as far as a customer paid them herself."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from orders.models import Settlement

# What a platform added to its customer's price is no money of hers. Every line of a use names it.
LINES = """
SELECT line.id, line.source_kind, line.entity_id, line.store_id, line.business_date,
       CASE WHEN line.source_kind = 'redemption' AND sale.voucher_id IS NOT NULL
            THEN sale.customer_fen[redemption.serial] ELSE line.paid_fen END
FROM (
    SELECT id FROM orders_settlement WHERE id = ANY(%(own)s)
    UNION SELECT id FROM orders_settlement WHERE id IN (
        SELECT id FROM orders_surcharge WHERE redemption_id = ANY(%(redemptions)s))
    UNION SELECT id FROM orders_settlement WHERE source_kind = 'after_use' AND redemption_id = ANY(%(redemptions)s)
) of_it
JOIN orders_settlement line USING (id)
LEFT JOIN vouchers_redemption redemption ON redemption.id = line.id
LEFT JOIN vouchers_issuervoucher sale ON sale.voucher_id = redemption.voucher_id
ORDER BY line.id
"""
WAITING = """
SELECT EXISTS (
    SELECT FROM orders_surcharge WHERE redemption_id = ANY(%(redemptions)s)
        AND (status IN ('open', 'returning') OR status = 'paid' AND settled_at IS NULL))
"""


class InvoiceableLine(NamedTuple):
    """A settlement line with what of it a customer paid; the columns of ``LINES``."""

    id: UUID
    source_kind: str
    entity_id: UUID | None
    store_id: UUID
    business_date: date
    amount_fen: int


@dataclass(frozen=True)
class Invoiceable:
    """All lines of one use, or of one order with its uses."""

    lines: Sequence[InvoiceableLine]

    @cached_property
    def voucher_fen(self) -> int:
        return self._of(Settlement.Source.REDEMPTION)

    @cached_property
    def surcharge_fen(self) -> int:
        return self._of(Settlement.Source.SURCHARGE)

    @cached_property
    def cash_fen(self) -> int:
        return self._of(Settlement.Source.STORE_ORDER)

    @cached_property
    def refunded_fen(self) -> int:
        return -self._of(Settlement.Source.AFTER_USE)

    @property
    def amount_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines)

    def _of(self, source_kind: Settlement.Source) -> int:
        return sum(line.amount_fen for line in self.lines if line.source_kind == source_kind)


def lines_of(*, redemption_ids: Collection[UUID], order_id: UUID | None = None) -> Invoiceable:
    """What the uses, and the cash of the order, settled to so far; read under the locks of the uses, or to show."""
    own = [*redemption_ids] if order_id is None else [*redemption_ids, order_id]
    with connection.cursor() as cursor:
        cursor.execute(LINES, {"own": own, "redemptions": list(redemption_ids)})
        return Invoiceable([InvoiceableLine(*row) for row in cursor.fetchall()])


def surcharges_wait(redemption_ids: Collection[UUID]) -> bool:
    """Whether a surcharge of the uses may still be paid, go back or settle."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"redemptions": list(redemption_ids)})
        return bool(cursor.fetchone()[0])
