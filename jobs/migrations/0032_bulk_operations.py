"""Acts over many jobs at once, what became of each, and which jobs wait for one that can still be undone."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

import jobs.ids

OPEN = ("pending", "running")


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0031_count_by_index"),
        ("orgs", "0021_org_halted"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            "BulkHold",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("operation_id", models.UUIDField()),
                ("job_id", models.UUIDField()),
                ("hides", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [models.Index(fields=["operation_id"], name="bulkhold_operation_idx")],
                "constraints": [models.UniqueConstraint(fields=("job_id", "operation_id"), name="bulkhold_uniq")],
            },
        ),
        migrations.CreateModel(
            "BulkOutcome",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("operation_id", models.UUIDField()),
                ("job_id", models.UUIDField()),
                ("outcome", models.CharField(max_length=7)),
                ("words", models.CharField(blank=True, max_length=120)),
                ("at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["operation_id", "id"], name="bulkoutcome_operation_idx")]},
        ),
        migrations.CreateModel(
            "BulkOperation",
            [
                ("id", models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("query", models.JSONField(default=dict)),
                ("filter", models.JSONField(default=dict)),
                (
                    "job_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), null=True, size=None),
                ),
                ("parameters", models.JSONField(default=dict)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("key_prefix", models.CharField(blank=True, max_length=16)),
                ("state", models.CharField(default="pending", max_length=8)),
                ("matched", models.IntegerField(null=True)),
                ("matched_more", models.BooleanField(default=False)),
                ("done", models.IntegerField(default=0)),
                ("skipped", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("until", models.DateTimeField()),
                ("after", models.UUIDField(null=True)),
                ("position", models.IntegerField(default=0)),
                ("rate", models.FloatField(null=True)),
                ("start_at", models.DateTimeField()),
                ("next_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_because", models.CharField(blank=True, max_length=200)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "org",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orgs.org",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["org", "id"], name="bulkoperation_newest_idx"),
                    models.Index(condition=Q(state__in=OPEN), fields=["next_at"], name="bulkoperation_due_idx"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(state__in=["done", "pending", "running", "stopped", "undone"]),
                        name="bulkoperation_state_valid",
                    ),
                    models.CheckConstraint(
                        condition=Q(state__in=OPEN, ended_at__isnull=True)
                        | (~Q(state__in=OPEN) & Q(ended_at__isnull=False)),
                        name="bulkoperation_ended_at_when_ended",
                    ),
                ],
            },
        ),
    ]
