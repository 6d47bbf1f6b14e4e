"""What was done to a thing."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orgs", "0013_audit_action_idx")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["org", "target", "at"], name="audit_target_idx")),
    ]
