"""What was done to a job among many."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orgs", "0015_audit_correlation_idx")]

    operations = [
        AddIndexConcurrently(
            "auditentry",
            GinIndex(
                fields=["detail"],
                opclasses=["jsonb_path_ops"],
                name="audit_jobs_idx",
                condition=models.Q(("detail__has_key", "jobs")),
            ),
        ),
    ]
