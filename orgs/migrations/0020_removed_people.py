"""The names of people whose accounts were removed, as digests."""

import django.core.validators
import django.db.models.deletion
import orgs.models.tenants
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0019_erasing"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="removed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="user",
            name="username",
            field=models.CharField(
                error_messages={"unique": "This username is taken."},
                max_length=32,
                unique=True,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Za-z0-9][A-Za-z0-9._-]{2,31}\\Z",
                        "3 to 32 letters, digits, dots, dashes or underscores, starting with a letter or digit.",
                    ),
                    orgs.models.tenants.not_removed,
                ],
            ),
        ),
        migrations.CreateModel(
            name="NameKey",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("sealed", models.TextField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="name_key_only_one")],
            },
        ),
        migrations.CreateModel(
            name="RemovedName",
            fields=[
                ("digest", models.BinaryField(primary_key=True, serialize=False)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
    ]
