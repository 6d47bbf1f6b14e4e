"""The list of the audit trail in order of time."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orgs", "0010_audit_seals")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["org", "at"], name="audit_at_idx")),
    ]
