"""Jobs have tags: words of the caller's own."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0040_rollups")]

    operations = [
        migrations.AddField(
            "job",
            "tags",
            ArrayField(
                base_field=models.CharField(max_length=40), db_default=models.Value("{}"), default=list, size=None
            ),
        ),
    ]
