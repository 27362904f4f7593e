"""A bounded part of everything: what recent purchases touched."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.invariants import auditing, slices
from orders.models import LedgerTransfer, Payment, Purchase
from tests.orders import paid, world

pytestmark = pytest.mark.django_db


def recent(*, limit: int = 100, at: datetime | None = None) -> slices.Slice:
    return slices.recent(minutes=10, limit=limit, at=at or datetime.now(UTC))


def test_a_slice_holds_the_newest_purchases_and_says_that_it_was_cut() -> None:
    paid.purchase()
    newest = paid.purchase()

    part = recent(limit=1)

    assert part.purchase_ids == (newest.pk,)
    assert part.is_cut
    assert not recent(limit=2).is_cut


def test_old_purchases_are_left_out_until_something_happens_to_them() -> None:
    built = world.build()
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert recent(at=in_an_hour).purchase_ids == ()

    Payment.objects.create(
        id="ffffffff-0000-7000-8000-000000000000",  # an attempt of the far future
        purchase=built.redeemed,
        customer_id=built.redeemed.customer_id,
        provider="sandbox",
        amount_fen=built.redeemed.total_fen,
        created_at=in_an_hour,
    )

    assert recent(at=in_an_hour).purchase_ids == (built.redeemed.pk,)


def test_all_that_belongs_to_the_purchases_is_in_the_slice() -> None:
    world.build()

    results = {(r.invariant, r.check): r.rows for r in auditing.look(recent())}
    everything = {(r.invariant, r.check): r.rows for r in auditing.look(slices.whole())}

    missing = {key: everything[key] - rows for key, rows in results.items() if everything[key] != rows}
    payouts = LedgerTransfer.objects.filter(source_kind="payout").count()
    # Everything is recent here, but what pays a month out belongs to no few purchases.
    assert missing == {
        ("I5", "balances_and_facts"): 2,  # accounts that only payouts touch
        ("I5", "transfers_and_the_posting_table"): payouts,
        ("FK", "orders_ledgertransfer.debit_id"): payouts,
        ("FK", "orders_ledgertransfer.credit_id"): payouts,
    }
    assert results["I3", "purchases"] == Purchase.objects.count()


def test_a_slice_scans_no_table_that_grows() -> None:
    """With sequential scans priced out, a scan that remains is one that no index can replace."""
    world.build()
    part = recent()
    with CaptureQueriesContext(connection) as asked:
        auditing.look(part)
    plans = []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for one in asked.captured_queries:
            if "SELECT count(*)" in one["sql"]:
                cursor.execute("EXPLAIN " + one["sql"])
                plans.append("\n".join(row[0] for row in cursor.fetchall()))

    scanned = {
        line.split("Seq Scan on ")[1].split()[0] for plan in plans for line in plan.splitlines() if "Seq Scan" in line
    }
    assert len(plans) == sum(check.in_slices for invariant in auditing.invariants() for check in invariant.checks)
    assert not scanned & set(slices.TABLES.values())
