import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0012_recalls_are_written_once")]
    operations = [
        migrations.AddField(
            model_name="dealterms", name="calendar_versions", field=models.JSONField(blank=True, default=dict)
        ),
        migrations.AddField(
            model_name="dealterms",
            name="dearer_stores",
            field=models.CharField(
                choices=[("included", "Included"), ("pay_difference", "Pay Difference"), ("excluded", "Excluded")],
                db_default="included",
                default="included",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="dealterms",
            name="holiday_rule",
            field=models.CharField(
                choices=[("usable", "Usable"), ("excluded", "Excluded"), ("only", "Only")],
                db_default="usable",
                default="usable",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="dealterms",
            name="makeup_rule",
            field=models.CharField(
                choices=[("own_weekday", "Own Weekday"), ("workday", "Workday")],
                db_default="own_weekday",
                default="own_weekday",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="dealterms",
            name="special_dates",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.DateField(), blank=True, default=list, size=None
            ),
        ),
        migrations.AddConstraint(
            model_name="dealterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("holiday_rule__in", ["usable", "excluded", "only"])),
                name="terms_holiday_rule_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="dealterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("makeup_rule__in", ["own_weekday", "workday"])), name="terms_makeup_rule_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="dealterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("dearer_stores__in", ["included", "pay_difference", "excluded"])),
                name="terms_dearer_stores_rule_is_known",
            ),
        ),
    ]
