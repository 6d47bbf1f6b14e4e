"""People sign out everywhere by a number that their sessions know."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orgs", "0022_secret_version")]

    operations = [
        migrations.AddField(
            "user", "session_epoch", models.PositiveIntegerField(db_default=0, default=0, editable=False)
        ),
        # what the admins call them
        migrations.AlterModelOptions("apikey", {"verbose_name": "API key"}),
        migrations.AlterModelOptions("auditentry", {"verbose_name_plural": "audit entries"}),
    ]
