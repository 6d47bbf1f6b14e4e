"""Two columns that old code need not know."""

from django.db import migrations, models

from tests.scenarios.expand.migrations import LATEST


class Migration(migrations.Migration):
    dependencies = [("jobs", LATEST)]

    operations = [
        migrations.AddField("job", "colour", models.CharField(max_length=20, null=True)),
        migrations.AddField("job", "weight", models.IntegerField(default=1, db_default=1)),
    ]
