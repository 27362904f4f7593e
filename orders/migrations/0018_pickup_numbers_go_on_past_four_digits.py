from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0017_slices_find_what_settled")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.RemoveConstraint("storeorder", "pickup_number_has_three_or_four_digits"),
        AddConstraintNotValid(
            "storeorder",
            models.CheckConstraint(
                condition=models.Q(("pickup_number__isnull", True), ("pickup_number__gte", 100), _connector="OR"),
                name="pickup_number_has_three_digits_or_more",
            ),
        ),
        ValidateConstraint("storeorder", "pickup_number_has_three_digits_or_more"),
    ]
