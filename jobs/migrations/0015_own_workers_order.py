"""The order of external jobs, by organisation."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('jobs', '0014_own_workers'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='ready',
            index=models.Index(condition=models.Q(('held', False), ('limit_key__isnull', True), ('type', 'external')), fields=['org_id', 'queue', 'rank', 'job_id'], name='ready_external_idx'),
        ),
    ]
