"""Idempotency keys of batches."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_dependencies")]

    operations = [
        migrations.AddField("batch", "idempotency_key", models.CharField(max_length=255, null=True)),
        migrations.AddField("batch", "fingerprint", models.CharField(max_length=64, null=True)),
        migrations.AddConstraint(
            "batch",
            models.UniqueConstraint(
                fields=["org", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="batch_idempotency_uniq",
            ),
        ),
        migrations.AddIndex(
            "batch",
            models.Index(
                fields=["created_at"],
                condition=Q(idempotency_key__isnull=False),
                name="batch_idempotency_age_idx",
            ),
        ),
    ]
