"""Indexes of the audit trail that the ones by time stand in for."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orgs", "0016_audit_jobs_idx")]

    operations = [
        migrations.RemoveIndex("auditentry", "audit_org_idx"),
        migrations.AlterField(
            "auditentry",
            "org",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=models.DO_NOTHING,
                related_name="+",
                to="orgs.org",
            ),
        ),
        migrations.AlterField(
            "auditentry",
            "actor",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=models.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
