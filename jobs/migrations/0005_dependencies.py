"""Jobs that wait for others, and batches of jobs with a callback."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from jobs.ids import uuid7

# As of the other tables whose rows come and go all the time.
STORAGE = """
ALTER TABLE jobs_ending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE jobs_dependency SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE jobs_batch SET (fillfactor = 70);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0004_limits"),
        ("orgs", "0002_audit_append_only"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Dependency",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("parent_id", models.UUIDField()),
                ("child_id", models.UUIDField()),
                ("org_id", models.BigIntegerField()),
                ("condition", models.CharField(max_length=7)),
            ],
            options={
                "indexes": [models.Index(fields=["child_id"], name="dependency_child_idx")],
                "constraints": [
                    models.CheckConstraint(condition=Q(condition__in=["success", "end"]), name="dependency_condition"),
                    models.UniqueConstraint(fields=["parent_id", "child_id"], name="dependency_uniq"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Ending",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("job_id", models.UUIDField()),
                ("batch_id", models.UUIDField(null=True)),
                ("status", models.CharField(max_length=9)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch_id"], condition=Q(batch_id__isnull=False), name="ending_batch_idx")
                ],
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.UUIDField(default=uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "org",
                    models.ForeignKey(
                        "orgs.org", db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+"
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=64)),
                ("total", models.IntegerField()),
                ("done", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("cancelled", models.IntegerField(default=0)),
                ("correlation_id", models.CharField(max_length=128)),
                (
                    "created_by",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("callback", models.JSONField(null=True)),
                ("callback_when", models.CharField(blank=True, max_length=7)),
                ("callback_due_at", models.DateTimeField(null=True)),
                ("callback_job_id", models.UUIDField(null=True)),
                ("callback_error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["org", "-id"], name="batch_list_idx"),
                    models.Index(
                        fields=["callback_due_at"],
                        condition=Q(callback_due_at__isnull=False),
                        name="batch_callback_due_idx",
                    ),
                    models.Index(fields=["finished_at"], name="batch_age_idx"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(callback_when="", callback__isnull=True)
                        | Q(callback_when__in=["success", "end"], callback__isnull=False),
                        name="batch_callback_has_condition",
                    ),
                ],
            },
        ),
        migrations.AddField("job", "waiting_on", models.IntegerField(default=0, db_default=0)),
        migrations.AddField("job", "has_dependents", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("job", "batch_id", models.UUIDField(null=True)),
        migrations.RemoveConstraint("job", "job_scheduled_has_due_time"),
        migrations.AddConstraint(
            "job",
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(run_at__isnull=False) | Q(waiting_on__gt=0),
                name="job_scheduled_has_due_time",
            ),
        ),
        migrations.AddIndex(
            "job", models.Index(fields=["batch_id", "id"], condition=Q(batch_id__isnull=False), name="job_batch_idx")
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
