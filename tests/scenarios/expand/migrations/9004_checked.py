"""The check of what was there before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "9003_check")]

    operations = [ValidateConstraint("job", "job_weight_valid")]
