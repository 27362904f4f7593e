from config.kernel.write_once import WriteOnce
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kernel", "0002_initial")]
    operations = [WriteOnce("kernel_auditentry")]
