"""What an organisation allows at most, the tokens left of its rates, and where a change of it is being made known."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

SCOPES = ["org", "queue", "type", "key"]
# As of the other tables whose rows are written all the time.
STORAGE = """
ALTER TABLE jobs_limitbucket SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_engine"), ("orgs", "0002_audit_append_only")]

    operations = [
        migrations.CreateModel(
            name="Limit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "org",
                    models.ForeignKey(
                        "orgs.org", db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+"
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        max_length=5, choices=[("org", "Org"), ("queue", "Queue"), ("type", "Type"), ("key", "Key")]
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("max_running", models.IntegerField(null=True)),
                ("rate_count", models.IntegerField(null=True)),
                ("rate_seconds", models.FloatField(null=True)),
                ("burst", models.IntegerField(null=True)),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["org", "name", "scope"], name="limit_uniq"),
                    models.CheckConstraint(condition=Q(scope__in=SCOPES), name="limit_scope_valid"),
                    models.CheckConstraint(
                        condition=(~Q(scope="org") | Q(name="*"))
                        & (Q(scope__in=["org", "key"]) | ~Q(name="*"))
                        & ~Q(name=""),
                        name="limit_name_valid",
                    ),
                    models.CheckConstraint(
                        condition=Q(max_running__isnull=False) | Q(rate_count__isnull=False), name="limit_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=Q(max_running__isnull=True) | Q(max_running__gte=0), name="limit_max_running_valid"
                    ),
                    models.CheckConstraint(
                        condition=Q(rate_count__isnull=True, rate_seconds__isnull=True, burst__isnull=True)
                        | Q(rate_count__gte=1, rate_seconds__gt=0, burst__gte=1),
                        name="limit_rate_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LimitBucket",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "limit",
                    models.ForeignKey(
                        "jobs.limit",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                    ),
                ),
                ("key", models.CharField(max_length=64, blank=True)),
                ("tokens", models.FloatField()),
                ("refilled_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["limit", "key"], name="limit_bucket_uniq")],
            },
        ),
        migrations.CreateModel(
            name="LimitSweep",
            fields=[
                (
                    "org",
                    models.OneToOneField(
                        "orgs.org",
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                    ),
                ),
                ("changed_at", models.DateTimeField()),
                ("after_at", models.DateTimeField(null=True)),
                ("after_id", models.UUIDField(null=True)),
                ("first_pass", models.BooleanField(default=True)),
            ],
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
