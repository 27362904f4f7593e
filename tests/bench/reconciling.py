"""How long a provider's bill of a million lines takes, from the file to its differences."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile
from typing import IO
from uuid import UUID

from django.db import connection

from config.kernel.caller import Caller, CallerKind
from orders.models import BillDifference
from orders.providers.sandbox_bill import BillFaults, Movement, written
from orders.services import bills
from tests import factories
from tests.bench import rows
from tests.bench.report import Figure, peak_mb
from tests.bench.stand import own_database, vacuum
from vouchers.models import Offer

LINES = 1_000_000
FAULTS = BillFaults(missing=0.001, extra=0.001, amount=0.001, late=0.001, duplicate=0.001, seed=1)
AT = datetime(2026, 6, 1, 4, tzinfo=UTC)
BY = Caller(kind=CallerKind.OPERATOR, id=None)


def reconcile() -> Iterator[Figure]:
    """``reconcile_s``: a day of a million payments and a bill of it with half a percent of faults."""
    with own_database(), TemporaryFile() as file:
        terms = factories.terms(factories.deal(factories.brand(), total=2 * LINES))
        offer = factories.offer(terms, allotment=2 * LINES)
        _captured(offer)
        _write(file)
        vacuum("orders_payment", "orders_ledgertransfer")
        size, before = file.tell(), peak_mb()
        began = time.perf_counter()
        taken = bills.take(
            brand_id=offer.brand_id, provider="sandbox", day=AT.date(), source=file, by=BY, at=AT + timedelta(days=1)
        )
        took = time.perf_counter() - began
        assert taken.bill.known_count == LINES
        assert sum(taken.found.values()) == BillDifference.objects.count()
    found = ", ".join(f"{count:,} {kind}" for kind, count in taken.found.items())
    yield Figure(
        "reconcile_s",
        round(took, 1),
        "s",
        f"{taken.bill.line_count:,} lines ({size / 1e6:.0f} MB) against {LINES:,} payments: {found}; "
        f"memory at its peak {peak_mb():.0f} MB, {before:.0f} MB of it before",
    )


def _captured(offer: Offer) -> None:
    rows.purchases(offer, LINES, customers=LINES // 2, status="paid")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_payment "
            "SET captured_at = %s, provider_reference = 'sbx_' || substr(replace(id::text, '-', ''), 9)",
            [AT],
        )
        cursor.execute(
            "INSERT INTO orders_account (id, brand_id, kind, owner, folded_fen, created_at) "
            "SELECT gen_random_uuid(), %s, kind, owner, 0, %s "
            "FROM (VALUES ('provider_clearing', 'sandbox'), ('prepaid_unissued', '')) AS of_brand(kind, owner)",
            [offer.brand_id, AT],
        )
        cursor.execute(
            "INSERT INTO orders_ledgertransfer "
            "(brand_id, debit_id, credit_id, amount_fen, kind, source_kind, source_id, occurred_at) "
            "SELECT %s, debit.id, credit.id, payment.amount_fen, 'capture', 'payment', payment.id, %s "
            "FROM orders_payment payment, orders_account debit, orders_account credit "
            "WHERE debit.kind = 'provider_clearing' AND credit.kind = 'prepaid_unissued'",
            [offer.brand_id, AT],
        )


def _write(file: IO[bytes]) -> None:
    with connection.connection.cursor(name="payments") as cursor, connection.connection.transaction():
        cursor.execute("SELECT id, provider_reference, amount_fen FROM orders_payment")
        movements = (_movement(*row) for row in cursor)
        file.writelines(line.encode() for line in written(AT.date(), movements, FAULTS))


def _movement(payment_id: UUID, reference: str, amount_fen: int) -> Movement:
    return Movement(False, f"pay_{payment_id.hex}", reference, amount_fen, "CNY", AT)
