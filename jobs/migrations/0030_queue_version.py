"""Queues say which version of them a change is of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0029_count_payloads")]

    operations = [
        migrations.AddField("queue", "version", models.PositiveIntegerField(db_default=1, default=1)),
    ]
