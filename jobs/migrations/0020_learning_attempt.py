"""What was predicted of an attempt, kept with what it took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0019_learning")]

    operations = [
        migrations.AddField("attempt", "predicted_low_ms", models.FloatField(null=True)),
        migrations.AddField("attempt", "predicted_high_ms", models.FloatField(null=True)),
        migrations.AddField("attempt", "model_version", models.IntegerField(null=True)),
    ]
