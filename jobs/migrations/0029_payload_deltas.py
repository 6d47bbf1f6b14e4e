"""The changes of what 0028 keeps."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0028_payload_counts")]

    operations = [
        migrations.AddField("statusdelta", "payload_bytes", models.BigIntegerField(default=0, db_default=0)),
    ]
