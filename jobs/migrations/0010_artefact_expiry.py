"""The index artefact_expiry_idx."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0009_artefacts_sent")]

    operations = [
        AddIndexConcurrently(
            "artefact",
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="artefact_expiry_idx"),
        ),
    ]
