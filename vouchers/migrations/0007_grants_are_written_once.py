from config.kernel.write_once import WriteOnce
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0006_grants_issue_in_batches"), ("kernel", "0001_write_once")]
    operations = [WriteOnce("vouchers_grant", set_once=["reversed_at", "reversal_request_id"])]
