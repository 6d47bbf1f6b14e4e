"""Events that were acted on; and when a worker that had lost its lease was refused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_batch_keys")]

    operations = [
        migrations.CreateModel(
            name="SeenEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("event", models.CharField(max_length=255)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="seen_event_age_idx")],
                "constraints": [models.UniqueConstraint(fields=("org_id", "event"), name="seen_event_uniq")],
            },
        ),
        migrations.AddField("attempt", "fenced_at", models.DateTimeField(null=True)),
    ]
