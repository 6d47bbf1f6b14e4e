"""Organisations that are suspended, or shall be erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0017_audit_fewer_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="org",
            name="erase_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="org",
            name="suspended_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="org",
            name="suspension_reason",
            field=models.CharField(blank=True, db_default=models.Value(""), default="", editable=False, max_length=200),
        ),
        migrations.AddIndex(
            model_name="org",
            index=models.Index(
                condition=models.Q(("erase_at__isnull", False)), fields=["erase_at"], name="org_erase_at_idx"
            ),
        ),
    ]
