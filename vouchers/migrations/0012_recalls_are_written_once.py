from config.kernel.write_once import WriteOnce
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("vouchers", "0011_recalled_terms_are_given_back"), ("kernel", "0001_write_once")]
    operations = [WriteOnce("vouchers_recall")]
