"""Pauses of kinds and of an organisation, queues that are closed or have a target, and what workers are told to do."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

import jobs.ids

STATUSES = ["online", "quiet", "draining", "offline", "dead"]


def person() -> "models.ForeignKey[None, None]":
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        db_constraint=False,
        db_index=False,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="+",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0033_alerts"),
        ("orgs", "0021_org_halted"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            "Pause",
            [
                ("id", models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "org",
                    models.ForeignKey(
                        "orgs.Org", db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+"
                    ),
                ),
                ("type", models.CharField(blank=True, max_length=32)),
                ("name", models.CharField(blank=True, max_length=64)),
                ("paused_at", models.DateTimeField()),
                ("paused_by", person()),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("resume_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["org", "type", "name"], name="pause_of_uniq"),
                    models.CheckConstraint(condition=~Q(type="") | Q(name=""), name="pause_name_has_type"),
                ],
                "indexes": [
                    models.Index(condition=Q(type=""), fields=["org"], name="pause_org_idx"),
                    models.Index(condition=Q(resume_at__isnull=False), fields=["resume_at"], name="pause_resume_idx"),
                ],
            },
        ),
        migrations.AddField("queue", "resume_at", models.DateTimeField(null=True)),
        migrations.AddField("queue", "closed_at", models.DateTimeField(null=True)),
        migrations.AddField("queue", "closed_by", person()),
        migrations.AddField(
            "queue", "close_reason", models.CharField(blank=True, db_default="", default="", max_length=200)
        ),
        migrations.AddField("queue", "target_seconds", models.PositiveIntegerField(null=True)),
        migrations.AddIndex(
            "queue", models.Index(condition=Q(closed_at__isnull=False), fields=["org", "name"], name="queue_closed_idx")
        ),
        migrations.AddIndex(
            "queue", models.Index(condition=Q(resume_at__isnull=False), fields=["resume_at"], name="queue_resume_idx")
        ),
        migrations.AddField("schedule", "paused_at", models.DateTimeField(null=True)),
        migrations.AddField("schedule", "paused_by", person()),
        migrations.AddField(
            "schedule", "pause_reason", models.CharField(blank=True, db_default="", default="", max_length=200)
        ),
        migrations.AddField(
            "workerprocess",
            "labels",
            models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            "workerprocess", "asked", models.CharField(blank=True, db_default="", default="", max_length=6)
        ),
        migrations.AddField("workerprocess", "asked_at", models.DateTimeField(null=True)),
        migrations.AddField("workerprocess", "asked_by", person()),
        migrations.AddField("workerprocess", "obeyed_at", models.DateTimeField(null=True)),
        migrations.RemoveConstraint("workerprocess", "process_status_valid"),
        migrations.AddConstraint(
            "workerprocess", models.CheckConstraint(condition=Q(status__in=STATUSES), name="process_status_valid")
        ),
        migrations.AddConstraint(
            "workerprocess",
            models.CheckConstraint(condition=Q(asked__in=["", "quiet", "resume", "stop"]), name="process_asked_valid"),
        ),
    ]
