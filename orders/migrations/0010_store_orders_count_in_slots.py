"""Every order counts in a quarter of an hour; those there are count in the one they were placed in."""

from django.db import migrations, models

COUNT = """
    UPDATE orders_storeorder o SET slot_at = date_bin('15 minutes', placed_at, '2000-01-01Z'),
        expected_at = coalesce(ready_at, placed_at), slot_cups = (SELECT coalesce(sum(quantity), 1) FROM orders_storeorderline WHERE order_id = o.id)
"""
PROMISE = """
    INSERT INTO stores_pickupslot (store_id, starts_at, cups, made)
    SELECT store_id, slot_at, sum(slot_cups), coalesce(sum(slot_cups) FILTER (WHERE ready_at IS NOT NULL), 0)
    FROM orders_storeorder WHERE status NOT IN ('lapsed', 'cancelled', 'rejected')
    GROUP BY store_id, slot_at
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0009_cash_is_settled_by_its_own_rule"),
        ("stores", "0015_slots_are_quarters_of_an_hour"),
    ]

    operations = [
        migrations.AddField("storeorder", "slot_at", models.DateTimeField(null=True)),
        migrations.AddField("storeorder", "slot_cups", models.PositiveSmallIntegerField(null=True)),
        migrations.AddField("storeorder", "expected_at", models.DateTimeField(null=True)),
        migrations.AddField("storeorder", "pick_up_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunSQL(PROMISE, migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField("storeorder", "slot_at", models.DateTimeField()),
        migrations.AlterField("storeorder", "expected_at", models.DateTimeField()),
        migrations.AlterField("storeorder", "slot_cups", models.PositiveSmallIntegerField()),
        migrations.AddConstraint(
            "storeorder",
            models.CheckConstraint(condition=models.Q(("slot_cups__gt", 0)), name="store_order_is_of_a_cup"),
        ),
    ]
