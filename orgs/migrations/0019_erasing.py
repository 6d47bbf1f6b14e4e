"""Organisations that are being erased, and what stands for their entries in the trail.

The trail is as append-only as before, but for one thing: an entry of an organisation that is being erased may be
deleted, row by row, once something stands for it and a sealed entry says so. The database looks; no setting counts.
"""

from django.db import migrations, models
from django.db.models import Q

FORWARD = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON orgs_auditerased
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON orgs_auditerased
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();

CREATE FUNCTION orgs_auditentry_erase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orgs_org WHERE id = OLD.org_id AND erasing_at IS NOT NULL)
       AND EXISTS (SELECT FROM orgs_auditerased AS erased
                   WHERE erased.id = OLD.id AND erased.org_id = OLD.org_id
                     AND erased.covered_by <= (SELECT last_id FROM orgs_audithead))
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

DROP TRIGGER audit_append_only ON orgs_auditentry;
CREATE TRIGGER audit_append_only BEFORE UPDATE ON orgs_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
CREATE TRIGGER audit_erased_only BEFORE DELETE ON orgs_auditentry
    FOR EACH ROW EXECUTE FUNCTION orgs_auditentry_erase();
"""

BACKWARD = """
DROP TRIGGER audit_erased_only ON orgs_auditentry;
DROP TRIGGER audit_append_only ON orgs_auditentry;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON orgs_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
DROP FUNCTION orgs_auditentry_erase();
DROP TRIGGER audit_no_truncate ON orgs_auditerased;
DROP TRIGGER audit_append_only ON orgs_auditerased;
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0018_org_life")]

    operations = [
        migrations.AddField("org", "erasing_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddConstraint(
            "org",
            models.CheckConstraint(
                condition=Q(("erasing_at__isnull", True), ("erase_at__isnull", False), _connector="OR"),
                name="org_erasing_is_final",
            ),
        ),
        migrations.CreateModel(
            name="AuditErased",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                ("covered_by", models.BigIntegerField()),
            ],
            options={"indexes": [models.Index(fields=["org_id", "covered_by"], name="audit_erased_cover_idx")]},
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
