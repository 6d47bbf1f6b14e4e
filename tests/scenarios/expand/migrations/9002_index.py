"""An index, made beside the work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "9001_column")]
    atomic = False

    operations = [AddIndexConcurrently("job", models.Index(fields=["colour", "id"], name="job_colour_idx"))]
