"""A check of what is written from now on."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "9002_index")]

    operations = [
        AddConstraintNotValid("job", models.CheckConstraint(condition=Q(weight__gte=0), name="job_weight_valid"))
    ]
