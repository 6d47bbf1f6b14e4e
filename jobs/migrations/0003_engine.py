"""The engine's tables: jobs updated in place at their end, limited keys apart, all a lease's end needs in the lease."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Concat
from django.db.models.lookups import In
from django.utils import timezone

FILL = """
UPDATE jobs_ready AS ready SET queued_at = coalesce(job.queued_at, job.created_at)
FROM jobs_job AS job WHERE job.id = ready.job_id;
UPDATE jobs_lease AS lease
SET name = job.name, rank_offset = job.rank_offset, attempt_limit = job.attempt_limit
FROM jobs_job AS job WHERE job.id = lease.job_id;
"""

# Room in each page for the new version of a row that ends, and for what vacuum has not yet taken.
STORAGE = """
ALTER TABLE jobs_job SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE jobs_ready SET (fillfactor = 90);
"""


LEGAL_MOVES = [
    ">queued",
    ">scheduled",
    "scheduled>cancelled",
    "scheduled>queued",
    "queued>cancelled",
    "queued>running",
    "running>cancelled",
    "running>done",
    "running>failed",
    "running>queued",
    "running>scheduled",
    "failed>queued",
]


def loose(to: str, *, null: bool, on_delete: object) -> models.ForeignKey:
    """A reference that the database does not check for each job."""
    return models.ForeignKey(
        to=to, null=null, on_delete=on_delete, related_name="+", db_index=False, db_constraint=False
    )


# Counted up by the engine alone, never given by a caller: a check on each would be read anew by every statement.
COUNTERS = [
    ("job", "attempt", models.IntegerField(default=0)),
    ("job", "attempt_limit", models.IntegerField()),
    ("job", "life", models.IntegerField(default=1)),
    ("job", "max_attempts", models.SmallIntegerField()),
    ("job", "model_version", models.IntegerField(null=True)),
    ("job", "payload_bytes", models.IntegerField()),
    ("job", "timeout_seconds", models.IntegerField()),
    ("attempt", "number", models.IntegerField()),
    ("lease", "attempt", models.IntegerField()),
    ("logline", "attempt", models.IntegerField()),
    ("logline", "sequence", models.IntegerField()),
    ("ready", "attempt", models.IntegerField()),
    ("transition", "attempt", models.IntegerField()),
]
# What job_run_at_in_range says too.
NOT_TWICE = "ALTER TABLE jobs_job DROP CONSTRAINT job_run_at_finite;"
TWICE = "ALTER TABLE jobs_job ADD CONSTRAINT job_run_at_finite CHECK (run_at IS NULL OR isfinite(run_at));"


def when_status(status: str, column: str) -> models.GeneratedField:
    return models.GeneratedField(
        expression=Case(When(status=status, then=F(column))),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
    )


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_counts_and_storage")]

    operations = [
        *(migrations.AlterField(*counter) for counter in COUNTERS),
        migrations.RunSQL(NOT_TWICE, TWICE),
        migrations.RemoveConstraint("transition", "transition_legal"),
        migrations.AddConstraint(
            "transition",
            models.CheckConstraint(
                condition=In(Concat(Coalesce(F("from_status"), Value("")), Value(">"), F("to_status")), LEGAL_MOVES),
                name="transition_legal",
            ),
        ),
        migrations.AlterField(
            "job",
            "created_by",
            loose(settings.AUTH_USER_MODEL, null=True, on_delete=django.db.models.deletion.SET_NULL),
        ),
        migrations.AlterField("job", "org", loose("orgs.org", null=False, on_delete=django.db.models.deletion.CASCADE)),
        migrations.RemoveIndex("transition", "transition_org_idx"),
        migrations.AddIndex("transition", models.Index(fields=["org_id", "id"], name="transition_newest_idx")),
        migrations.RemoveIndex("job", "job_list_idx"),
        migrations.AddIndex("job", models.Index(fields=["org", "id"], name="job_newest_idx")),
        migrations.RemoveIndex("job", "job_promote_idx"),
        migrations.RemoveIndex("job", "job_waiting_idx"),
        migrations.RemoveIndex("job", "job_dead_letter_idx"),
        migrations.RemoveIndex("ready", "ready_claim_idx"),
        migrations.AddField("job", "due_at", when_status("scheduled", "run_at")),
        migrations.AddField("job", "failed_at", when_status("failed", "finished_at")),
        migrations.AddField("job", "limit_key", models.CharField(max_length=64, blank=True, default="", db_default="")),
        migrations.AddField("ready", "queued_at", models.DateTimeField(default=timezone.now), preserve_default=False),
        migrations.AddField("ready", "limit_key", models.CharField(max_length=64, null=True)),
        migrations.AddField("lease", "name", models.CharField(max_length=64, default=""), preserve_default=False),
        migrations.AddField("lease", "rank_offset", models.FloatField(default=0), preserve_default=False),
        migrations.AddField("lease", "attempt_limit", models.IntegerField(default=1), preserve_default=False),
        migrations.AddField("lease", "limit_key", models.CharField(max_length=64, null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            "job", models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="job_due_idx")
        ),
        migrations.AddIndex(
            "job",
            models.Index(
                fields=["org", "-failed_at", "-id"], condition=Q(failed_at__isnull=False), name="job_failed_idx"
            ),
        ),
        migrations.AddIndex(
            "ready",
            models.Index(
                fields=["queue", "type", "rank", "job_id"],
                condition=Q(held=False, limit_key__isnull=True),
                name="ready_order_idx",
            ),
        ),
        migrations.AddIndex(
            "ready",
            models.Index(
                fields=["queue", "type", "org_id", "limit_key", "rank", "job_id"],
                condition=Q(held=False, limit_key__isnull=False),
                name="ready_limited_idx",
            ),
        ),
        migrations.AddIndex("ready", models.Index(fields=["org_id", "queued_at"], name="ready_waiting_idx")),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
