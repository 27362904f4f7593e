from config.kernel.write_once import WriteOnce
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("livestream", "0002_sessions_and_plans_are_made_once"), ("kernel", "0001_write_once")]
    operations = [WriteOnce("livestream_commissionplan", set_once=["ended_at"])]
