from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0014_terms_are_amended")]
    operations = [
        migrations.AddField(
            model_name="voucher", name="extensions", field=models.PositiveSmallIntegerField(db_default=0, default=0)
        ),
        migrations.AddIndex(
            model_name="voucher",
            index=models.Index(
                condition=models.Q(("status__in", ["issued", "held"])),
                fields=["terms", "extensions"],
                name="voucher_to_extend",
            ),
        ),
    ]
