"""What was there before 0037 was within narrower bounds yet; reading it all takes no lock that anybody waits for."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0037_changes_of_waiting_jobs")]

    operations = [ValidateConstraint("transition", "transition_legal")]
