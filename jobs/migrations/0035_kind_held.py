"""Of a waiting job it is known whether it is held because its kind is paused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0034_pauses_and_commands")]

    operations = [migrations.AddField("ready", "kind_held", models.BooleanField(db_default=False, default=False))]
