"""What goes on when a queue does is found without passing what stays held because its kind is paused."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0035_kind_held")]

    operations = [
        AddIndexConcurrently(
            "ready",
            models.Index(
                condition=Q(held=True, kind_held=False), fields=["queue", "org_id"], name="ready_freeable_idx"
            ),
        )
    ]
