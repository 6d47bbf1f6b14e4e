"""How likely a job was to fail, as predicted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0017_runtime_memory")]

    operations = [
        migrations.AddField("job", "failure_probability", models.FloatField(null=True)),
    ]
