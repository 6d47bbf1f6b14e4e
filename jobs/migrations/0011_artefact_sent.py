"""The index artefact_sent_idx."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0010_artefact_expiry")]

    operations = [
        AddIndexConcurrently(
            "artefact",
            models.Index(fields=["org", "-id"], condition=Q(job_id__isnull=True), name="artefact_sent_idx"),
        ),
    ]
