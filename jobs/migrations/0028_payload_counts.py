"""How many bytes the payloads of an organisation's jobs have that have not ended: kept with the counts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0025_run_deltas")]

    operations = [
        migrations.AddField("statuscount", "payload_bytes", models.BigIntegerField(default=0, db_default=0)),
    ]
