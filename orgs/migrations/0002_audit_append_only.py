"""The audit trail only grows: a trigger refuses UPDATE, DELETE and TRUNCATE, whoever asks."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION orgs_auditentry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Per statement, so that even one that matches no row is refused.
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON orgs_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();

-- Apart, because tests that empty every table between them must switch this one off.
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON orgs_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION orgs_auditentry_refuse();
"""

BACKWARD = """
DROP TRIGGER audit_no_truncate ON orgs_auditentry;
DROP TRIGGER audit_append_only ON orgs_auditentry;
DROP FUNCTION orgs_auditentry_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
