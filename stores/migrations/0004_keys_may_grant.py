

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('stores', '0003_products_are_never_deleted'),
    ]

    operations = [
        migrations.AlterField(
            model_name='apiclient',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('customers', 'Customers'), ('catalog', 'Catalog'), ('selling', 'Selling'), ('granting', 'Granting'), ('redeeming', 'Redeeming'), ('reports', 'Reports'), ('webhooks', 'Webhooks')], max_length=16), size=None),
        ),
    ]
