"""The index artefact_org_idx."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0015_own_workers_order")]

    operations = [
        AddIndexConcurrently(
            "artefact",
            models.Index(fields=["org"], include=["size_bytes"], name="artefact_org_idx"),
        ),
    ]
