from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stores", "0005_clerks_are_invited_and_switch_by_pin")]
    operations = [
        migrations.AddField("store", "is_dearer", models.BooleanField(db_default=False, default=False)),
    ]
