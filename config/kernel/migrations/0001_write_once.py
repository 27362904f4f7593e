from config.kernel.write_once import CreateWriteOnceFunction
from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [CreateWriteOnceFunction()]
