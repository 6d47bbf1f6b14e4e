"""Since when an organisation is closing, and which ones nothing is begun of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0020_removed_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="org",
            name="closed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="org",
            index=models.Index(
                condition=models.Q(("suspended_at__isnull", False), ("erase_at__isnull", False), _connector="OR"),
                fields=["id"],
                name="org_halted_idx",
            ),
        ),
    ]
