"""What was predicted of a job, for the end of its attempt."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0020_learning_attempt")]

    operations = [
        migrations.AddField("lease", "predicted_low_ms", models.FloatField(null=True)),
        migrations.AddField("lease", "predicted_high_ms", models.FloatField(null=True)),
        migrations.AddField("lease", "failure_probability", models.FloatField(null=True)),
        migrations.AddField("lease", "model_version", models.IntegerField(null=True)),
    ]
