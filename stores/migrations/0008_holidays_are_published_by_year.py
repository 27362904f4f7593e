import config.kernel.ids
import django.contrib.postgres.fields
import django.db.models.deletion
from config.kernel.write_once import WriteOnce
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stores", "0007_stores_are_in_groups"), ("kernel", "0001_write_once")]
    operations = [
        migrations.CreateModel(
            name="HolidayCalendar",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("year", models.PositiveSmallIntegerField()),
                ("number", models.PositiveIntegerField()),
                ("holidays", models.JSONField()),
                (
                    "workdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateField(), blank=True, default=list, size=None
                    ),
                ),
                ("published_at", models.DateTimeField()),
                (
                    "brand",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holiday_calendars",
                        to="stores.brand",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("brand", "year", "number"), name="calendar_is_numbered_in_its_year"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number__gte", 1)), name="calendar_numbers_begin_at_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("year__range", (2000, 2199))), name="calendar_year_is_of_our_time"
                    ),
                ],
            },
        ),
        WriteOnce("stores_holidaycalendar"),
    ]
