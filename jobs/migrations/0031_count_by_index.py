"""The trigger that counts moves looks each job up by its id, whatever it took the table for when it was planned.

A session keeps the plan of a function for as long as it lasts, and the statistics of the table have not changed: one
that was made while the table was empty, and had been vacuumed, reads it from end to end for each job of a bulk submit.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0030_queue_version")]

    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION jobs_count_moves() SET enable_seqscan = off",
            "ALTER FUNCTION jobs_count_moves() RESET enable_seqscan",
        )
    ]
