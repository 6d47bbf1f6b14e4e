"""How much of shared queues an organisation gets."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orgs", "0005_secret")]

    operations = [
        migrations.AddField(
            "org",
            "weight",
            models.FloatField(
                db_default=1.0,
                default=1.0,
                validators=[
                    django.core.validators.MinValueValidator(0.01),
                    django.core.validators.MaxValueValidator(1000.0),
                ],
            ),
        ),
        migrations.AddConstraint(
            "org",
            models.CheckConstraint(
                condition=models.Q(("weight__gt", 0), ("weight__lte", 1000.0)), name="org_weight_in_range"
            ),
        ),
    ]
