"""How far each receiver of the event stream was told, and which process tells it."""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("jobs", "0045_total")]

    operations = [
        migrations.CreateModel(
            "StreamPosition",
            [
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField()),
                ("holder", models.UUIDField(null=True)),
                ("held_until", models.DateTimeField(null=True)),
                ("updated_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(holder__isnull=True, held_until__isnull=True)
                        | Q(holder__isnull=False, held_until__isnull=False),
                        name="streamposition_held_until",
                    )
                ]
            },
        ),
    ]
