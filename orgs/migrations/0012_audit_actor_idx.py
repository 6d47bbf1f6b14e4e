"""What somebody did."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orgs", "0011_audit_at_idx")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["org", "actor_name", "at"], name="audit_actor_idx")),
    ]
