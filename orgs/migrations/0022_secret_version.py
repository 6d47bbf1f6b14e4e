"""Secrets say how often their value was set."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orgs", "0021_org_halted")]

    operations = [
        migrations.AddField("secret", "version", models.PositiveIntegerField(db_default=1, default=1)),
    ]
