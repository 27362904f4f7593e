import config.kernel.ids
import django.db.models.deletion
from django.db import migrations, models
from config.kernel.write_once import WriteOnce


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0013_terms_heed_holidays_and_dearer_stores"), ("kernel", "0001_write_once")]
    operations = [
        migrations.CreateModel(
            name="Amendment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("changes", models.JSONField()),
                ("reason", models.CharField(max_length=256)),
                ("request_id", models.UUIDField()),
                ("content_hash", models.BinaryField(max_length=16)),
                ("published_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="TermsRevision",
            fields=[
                (
                    "terms",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="revision",
                        serialize=False,
                        to="vouchers.dealterms",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("extensions", models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="amendment",
            name="terms",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="amendments",
                to="vouchers.dealterms",
            ),
        ),
        migrations.AddConstraint(
            model_name="amendment",
            constraint=models.UniqueConstraint(
                fields=("terms", "number"), name="amendments_are_numbered_in_their_terms"
            ),
        ),
        migrations.AddConstraint(
            model_name="amendment",
            constraint=models.UniqueConstraint(fields=("terms", "request_id"), name="amendment_is_published_once"),
        ),
        migrations.AddConstraint(
            model_name="amendment",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 1)), name="amendment_numbers_begin_at_one"
            ),
        ),
        WriteOnce("vouchers_amendment"),
    ]
