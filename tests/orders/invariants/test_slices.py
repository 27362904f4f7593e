"""A bounded part of everything: what recent purchases touched."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.invariants import auditing, slices
from orders.models import Payment, Purchase, Settlement
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


@pytest.mark.parametrize(
    ("settles", "corruption", "rule"),
    [
        (
            "UPDATE orders_settlement SET settled_at = {later} WHERE source_kind IN ('redemption', 'after_use')",
            "DELETE FROM orders_ledgertransfer WHERE kind = 'settlement'",
            "line_is_posted_to_everybody",
        ),
        (
            "UPDATE orders_settlement SET settled_at = {later} WHERE source_kind = 'store_order'",
            "DELETE FROM orders_ledgertransfer WHERE kind = 'settled_order_cash'",
            "line_is_posted_to_everybody",
        ),
        (
            "UPDATE orders_settlement SET settled_at = {later} WHERE source_kind = 'surcharge'",
            "DELETE FROM orders_settlement WHERE source_kind = 'surcharge' AND till_fen > 0",
            "settled_surcharge_has_its_line",
        ),
        (
            "UPDATE orders_payout SET ended_at = {later}, returned_at = {later}::timestamptz + (returned_at - ended_at)"
            " WHERE ended_at IS NOT NULL",
            "DELETE FROM orders_ledgertransfer WHERE kind = 'payout_paid'",
            "payout_is_posted_as_far_as_it_has_come",
        ),
    ],
)
def test_what_settles_or_is_paid_out_later_is_looked_at_then(settles: str, corruption: str, rule: str) -> None:
    world.build()
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert {result.rows for result in auditing.look(recent(at=in_an_hour)) if result.check == "payouts"} == {0}
    world.corrupt(settles.format(later=f"'{in_an_hour.isoformat()}'"))

    clean = auditing.look(recent(at=in_an_hour))
    world.corrupt(corruption)
    broken = {name for result in auditing.look(recent(at=in_an_hour)) for name in result.broken}

    assert auditing.violations(clean) == 0
    assert rule in broken


def test_what_settled_is_looked_at_beside_as_many_new_purchases() -> None:
    built = world.build()
    before = recent(limit=1).purchase_ids
    line = Settlement.objects.filter(purchase_id=built.redeemed.pk)
    world.corrupt(f"UPDATE orders_settlement SET settled_at = now() WHERE id = '{line.get().pk}'")  # noqa: S608 - ours

    after = recent(limit=1).purchase_ids

    assert (built.redeemed.pk in before, after) == (False, (*before, built.redeemed.pk))


def test_all_that_belongs_to_the_purchases_is_in_the_slice() -> None:
    world.build()

    results = {(r.invariant, r.check): r.rows for r in auditing.look(recent())}
    everything = {(r.invariant, r.check): r.rows for r in auditing.look(slices.whole())}

    missing = {key: everything[key] - rows for key, rows in results.items() if everything[key] != rows}
    assert missing == {}, "everything is recent here"
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
