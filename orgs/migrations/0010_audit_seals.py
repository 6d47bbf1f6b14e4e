"""The key behind an act; seals over the audit trail, which is append-only like it, and the newest of them once more."""

from django.db import migrations, models

FORWARD = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON orgs_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON orgs_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
CREATE TRIGGER audit_append_only BEFORE DELETE ON orgs_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON orgs_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();

-- Digests are as good as random: to try to make them smaller takes time and does not.
ALTER TABLE orgs_auditseal ALTER COLUMN digests SET STORAGE EXTERNAL;
"""

BACKWARD = """
DROP TRIGGER audit_no_truncate ON orgs_audithead;
DROP TRIGGER audit_append_only ON orgs_audithead;
DROP TRIGGER audit_no_truncate ON orgs_auditseal;
DROP TRIGGER audit_append_only ON orgs_auditseal;
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0009_rate_limits")]

    operations = [
        migrations.AddField(
            "auditentry", "key_prefix", models.CharField(blank=True, db_default="", default="", max_length=16)
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                ("rows", models.IntegerField()),
                ("ids", models.TextField()),
                ("digests", models.BinaryField()),
                ("rows_sha256", models.CharField(max_length=64)),
                ("previous", models.CharField(max_length=64)),
                ("sha256", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("epoch", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
            ],
            options={"constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="audit_one_head")]},
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
