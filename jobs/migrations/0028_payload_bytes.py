"""How many bytes the payloads of an organisation's jobs have that have not ended. Tables of their own: the leader of the
version before folds those of the counts, and would lose what it does not know."""

from django.db import migrations, models

STORAGE = """
ALTER TABLE jobs_payloaddelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0025_run_deltas")]

    operations = [
        migrations.CreateModel(
            "PayloadDelta",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("payload_bytes", models.BigIntegerField()),
            ],
            options={"indexes": [models.Index(fields=["org_id"], name="payloaddelta_org_idx")]},
        ),
        migrations.CreateModel(
            "PayloadCount",
            [
                ("org_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("payload_bytes", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
