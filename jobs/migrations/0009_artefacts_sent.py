"""Files that people send for jobs to read: of no attempt, and kept for a time of their own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0008_schedules'),
        ('orgs', '0003_job_settings'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='artefact',
            name='created_by',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='artefact',
            name='expires_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='artefact',
            name='attempt',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='artefact',
            name='job_id',
            field=models.UUIDField(null=True),
        ),
    ]
