"""Workers of an organisation's own: whose they are, and until when they may work on a job."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0013_subscribers'),
    ]

    operations = [
        migrations.AddField(
            model_name='workerprocess',
            name='org_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='lease',
            name='deadline_at',
            field=models.DateTimeField(null=True),
        ),
    ]
