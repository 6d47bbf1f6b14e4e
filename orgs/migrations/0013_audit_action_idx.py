"""Who did a thing of this kind."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orgs", "0012_audit_actor_idx")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["org", "action", "at"], name="audit_action_idx")),
    ]
