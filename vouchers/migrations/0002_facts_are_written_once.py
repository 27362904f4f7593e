from config.kernel.write_once import WriteOnce
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0001_initial"), ("kernel", "0001_write_once")]
    operations = [
        WriteOnce("vouchers_dealterms"),
        WriteOnce("vouchers_useending", set_once=["expired_at", "refunding_at", "refunded_at"]),
        WriteOnce(
            "vouchers_redemption",
            set_once=[
                "reversible_until",
                "reversed_at",
                "reversed_by_id",
                "reversal_request_id",
                "settled_at",
            ],
        ),
        # Room beside the hot counters, so that moving one rewrites its own page only.
        migrations.RunSQL(
            "ALTER TABLE vouchers_offer SET (fillfactor = 20); "
            "ALTER TABLE vouchers_customerallowance SET (fillfactor = 90); "
            "ALTER TABLE vouchers_voucher SET (fillfactor = 90);",
            migrations.RunSQL.noop,
        ),
    ]
