"""How near the predictions come, when an organisation's model is trained again, and why a version is in use."""

from django.db import migrations, models

NEARNESS = [
    ("id", models.BigAutoField(primary_key=True, serialize=False)),
    ("org_id", models.BigIntegerField()),
    ("hour", models.DateTimeField()),
    ("model_version", models.IntegerField()),
    ("runs", models.BigIntegerField()),
    ("log2_error", models.FloatField()),
    ("log2_bias", models.FloatField()),
    ("relative_error", models.FloatField()),
    ("within_2x", models.BigIntegerField()),
    ("ranged", models.BigIntegerField()),
    ("in_range", models.BigIntegerField()),
    ("risked", models.BigIntegerField()),
    ("risk", models.FloatField()),
    ("failed", models.BigIntegerField()),
]


class Migration(migrations.Migration):
    dependencies = [("jobs", "0018_failure_probability")]

    operations = [
        migrations.CreateModel("AccuracyDelta", NEARNESS, options={"abstract": False}),
        migrations.CreateModel(
            "Accuracy",
            NEARNESS,
            options={
                "indexes": [models.Index(fields=["hour"], name="accuracy_age_idx")],
                "constraints": [
                    models.UniqueConstraint(fields=("org_id", "hour", "model_version"), name="accuracy_hour_uniq")
                ],
            },
        ),
        migrations.CreateModel(
            "Learning",
            [
                ("org_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("runs", models.BigIntegerField(db_default=0, default=0)),
                ("trained_runs", models.BigIntegerField(db_default=0, default=0)),
                ("trained_at", models.DateTimeField(null=True)),
                ("failures", models.IntegerField(db_default=0, default=0)),
                ("not_before", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, db_default="", default="", max_length=300)),
                ("worse_since", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            "modelversion", "source", models.CharField(blank=True, db_default="", default="", max_length=16)
        ),
        migrations.AddField("modelversion", "trained_seconds", models.FloatField(null=True)),
        migrations.AddField(
            "modelversion", "reason", models.CharField(blank=True, db_default="", default="", max_length=300)
        ),
        migrations.AddField("modelversion", "promoted_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "modelversion", "promoted_by", models.CharField(blank=True, db_default="", default="", max_length=160)
        ),
        migrations.AddField("modelversion", "previous", models.PositiveIntegerField(null=True)),
    ]
