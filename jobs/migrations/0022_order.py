"""The order of queues: a policy for each, shares of organisations, what waits by rank, and when a job is to start."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0021_learning_lease")]

    operations = [
        migrations.AddField("job", "share_offset", models.FloatField(default=0, db_default=0)),
        migrations.AddField("job", "stretch", models.FloatField(default=1, db_default=1)),
        migrations.AddField("job", "expected_start_at", models.DateTimeField(null=True)),
        migrations.AddField("job", "expected_start_low_at", models.DateTimeField(null=True)),
        migrations.AddField("job", "expected_start_high_at", models.DateTimeField(null=True)),
        migrations.AddField("queue", "policy", models.CharField(blank=True, db_default="", default="", max_length=8)),
        migrations.AddConstraint(
            "queue",
            models.CheckConstraint(
                condition=models.Q(("policy__in", ["", "learned", "fifo", "priority"])), name="queue_policy_valid"
            ),
        ),
        migrations.CreateModel(
            name="QueueShare",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("queue", models.CharField(max_length=40)),
                ("lead_until", models.DateTimeField()),
                ("rate", models.FloatField()),
                ("mean_log_ms", models.FloatField()),
                ("mean_square", models.FloatField()),
                ("jobs", models.FloatField()),
                ("newest_rank", models.FloatField(db_default=0, default=0)),
                ("looked_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["queue", "lead_until"], name="queueshare_ahead_idx")],
                "constraints": [models.UniqueConstraint(fields=("org_id", "queue"), name="queueshare_uniq")],
            },
        ),
        migrations.CreateModel(
            name="Backlog",
            fields=[
                ("queue", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("measured_at", models.DateTimeField()),
                ("running", models.IntegerField()),
                ("running_ms", models.FloatField()),
                ("head_types", ArrayField(base_field=models.CharField(max_length=32), size=None)),
                ("heads", ArrayField(base_field=models.FloatField(), size=None)),
                ("head_orgs", ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("others", ArrayField(base_field=models.FloatField(null=True), size=None)),
                ("served", ArrayField(base_field=models.BooleanField(), size=None)),
                ("more", models.BooleanField()),
                ("ranks", ArrayField(base_field=models.FloatField(), size=None)),
                ("waiting_ms", ArrayField(base_field=models.FloatField(), size=None)),
                ("offsets", ArrayField(base_field=models.FloatField(), size=None)),
                ("arriving_ms", ArrayField(base_field=models.FloatField(), size=None)),
                ("early_ratio", models.FloatField()),
                ("late_ratio", models.FloatField()),
                ("compared_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
