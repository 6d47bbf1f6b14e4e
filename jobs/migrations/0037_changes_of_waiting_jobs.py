"""What people change about jobs that wait is told by their history: moves to the same status, and back to scheduled.

The code of before makes none of these moves, and takes them for what they are: it only lists them.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Concat
from django.db.models.lookups import In

LEGAL_MOVES = [
    ">queued", ">scheduled",
    "scheduled>cancelled", "scheduled>queued", "scheduled>scheduled",
    "queued>cancelled", "queued>queued", "queued>running", "queued>scheduled",
    "running>cancelled", "running>done", "running>failed", "running>queued", "running>scheduled",
    "failed>queued",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("jobs", "0036_ready_freeable_idx")]

    operations = [
        migrations.RemoveConstraint("transition", "transition_legal"),
        AddConstraintNotValid(
            "transition",
            models.CheckConstraint(
                condition=In(Concat(Coalesce(F("from_status"), Value("")), Value(">"), F("to_status")), LEGAL_MOVES),
                name="transition_legal",
            ),
        ),
    ]
