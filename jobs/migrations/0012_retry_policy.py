"""When a job is tried again, where it says so itself."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0011_artefact_sent")]

    operations = [migrations.AddField("job", "retry", models.JSONField(null=True))]
