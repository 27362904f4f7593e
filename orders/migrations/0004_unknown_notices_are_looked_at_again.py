import django.utils.timezone
from config.kernel.write_once import WriteOnce
from django.db import migrations, models

# Facts, told once. Not among them: `looks` and `look_at`, which say when to look at one again.
FACTS = (
    "id, provider, provider_event_id, kind, reference, provider_reference, amount_fen, currency, occurred_at, "
    "received_at, applied_at, outcome"
)
BUT_THE_LOOKS = f"""
    DROP TRIGGER orders_paymentnotice_write_once ON orders_paymentnotice;
    CREATE TRIGGER orders_paymentnotice_write_once BEFORE DELETE OR UPDATE OF {FACTS} ON orders_paymentnotice
        FOR EACH ROW EXECUTE FUNCTION kernel_write_once('applied_at', 'outcome')
"""
THE_LOOKS_TOO = "DROP TRIGGER orders_paymentnotice_write_once ON orders_paymentnotice; " + str(
    WriteOnce("orders_paymentnotice", set_once=["applied_at", "outcome"]).sql
)


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_refund_requests_are_answered_once")]
    operations = [
        migrations.AddField("paymentnotice", "looks", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField(
            "paymentnotice",
            "look_at",
            models.DateTimeField(default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AlterField(
            "paymentnotice",
            "outcome",
            models.CharField(
                blank=True,
                choices=[("applied", "Applied"), ("repeated", "Repeated"), ("refunded", "Refunded")],
                max_length=16,
                null=True,
            ),
        ),
        migrations.RemoveIndex("paymentnotice", "notice_to_apply"),
        migrations.AddIndex(
            "paymentnotice",
            models.Index(
                condition=models.Q(("applied_at__isnull", True)), fields=["kind", "look_at"], name="notice_to_apply"
            ),
        ),
        migrations.RunSQL(BUT_THE_LOOKS, THE_LOOKS_TOO),
        migrations.AddConstraint(
            "refund",
            models.UniqueConstraint(
                condition=models.Q(("source_kind", "unwanted_capture")),
                fields=("source_id",),
                name="capture_is_refunded_once",
            ),
        ),
    ]
