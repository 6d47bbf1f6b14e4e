"""Exact counts by trigger, and storage settings of the hot tables."""

from django.db import migrations

COUNT_MOVES = """
CREATE FUNCTION jobs_count_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Inserted, never updated: statements that move jobs do not queue up behind one counter row.
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, queue, status, sum(change)
    FROM (SELECT org_id, queue, to_status AS status, 1 AS change FROM moves
          UNION ALL
          SELECT org_id, queue, from_status, -1 FROM moves WHERE from_status IS NOT NULL) AS changes
    GROUP BY org_id, queue, status
    HAVING sum(change) <> 0;
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_count_moves AFTER INSERT ON jobs_transition
    REFERENCING NEW TABLE AS moves FOR EACH STATEMENT EXECUTE FUNCTION jobs_count_moves();
"""
UNDO_COUNT_MOVES = "DROP TRIGGER jobs_count_moves ON jobs_transition; DROP FUNCTION jobs_count_moves();"

# Rows come and go all the time in these: vacuum by count and at full speed, and leave room for renewals in place.
HOT_TABLES = """
ALTER TABLE jobs_ready SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE jobs_lease SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off, fillfactor = 50);
ALTER TABLE jobs_statusdelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
ALTER TABLE jobs_job SET (fillfactor = 85);
"""

# Due times come from people: infinity would make every later read of the row fail.
FINITE = "ALTER TABLE jobs_job ADD CONSTRAINT job_run_at_finite CHECK (run_at IS NULL OR isfinite(run_at));"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.RunSQL(COUNT_MOVES, UNDO_COUNT_MOVES),
        migrations.RunSQL(HOT_TABLES, migrations.RunSQL.noop),
        migrations.RunSQL(FINITE, "ALTER TABLE jobs_job DROP CONSTRAINT job_run_at_finite;"),
    ]
