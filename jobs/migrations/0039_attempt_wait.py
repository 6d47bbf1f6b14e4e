"""An attempt says in which queue its job waited, since when, and what came of the job. Null in those of the version before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0038_changes_are_legal")]

    operations = [
        migrations.AddField("attempt", "queue", models.CharField(max_length=40, null=True)),
        migrations.AddField("attempt", "queued_at", models.DateTimeField(null=True)),
        migrations.AddField("attempt", "to_status", models.CharField(max_length=9, null=True)),
    ]
