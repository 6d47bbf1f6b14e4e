"""What was done in a request."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orgs", "0014_audit_target_idx")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["org", "correlation_id", "at"], name="audit_correlation_idx")),
    ]
