from config.kernel.write_once import NeverDeleted
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stores", "0002_products_have_options"), ("kernel", "0001_write_once")]
    operations = [
        NeverDeleted("stores_product"),
        NeverDeleted("stores_optiongroup"),
        NeverDeleted("stores_option"),
    ]
