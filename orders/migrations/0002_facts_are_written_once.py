from config.kernel.write_once import WriteOnce
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial"), ("kernel", "0001_write_once")]
    operations = [
        WriteOnce("orders_paymentnotice", set_once=["applied_at", "outcome"]),
        WriteOnce("orders_ledgertransfer", set_once=["folded_at"]),
        # A purchase is updated twice (paid, issued): room for it in its own page.
        migrations.RunSQL(
            "ALTER TABLE orders_purchase SET (fillfactor = 70); ALTER TABLE orders_payment SET (fillfactor = 70); "
            "ALTER TABLE orders_ledgertransfer SET (fillfactor = 80);",
            migrations.RunSQL.noop,
        ),
    ]
