"""Token buckets of calls, and how much an organisation may have at once."""

from django.db import migrations, models

# Written by each call: without a flush to disk, and with room for the next version of a row in its page. What a crash
# empties fills up by itself anyway.
STORAGE = """
ALTER TABLE orgs_ratebucket SET UNLOGGED;
ALTER TABLE orgs_ratebucket SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
"""

QUOTAS = ("max_waiting_jobs", "max_payload_bytes", "max_schedules", "max_artefact_bytes")


class Migration(migrations.Migration):
    dependencies = [("orgs", "0007_api_key_roles")]

    operations = [
        *(
            migrations.AddField("org", name, models.PositiveBigIntegerField(null=True, blank=True))
            for name in QUOTAS
        ),
        migrations.CreateModel(
            "RateBucket",
            [
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("full_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
