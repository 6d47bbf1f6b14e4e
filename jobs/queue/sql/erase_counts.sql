-- The counts of an organisation without jobs, with the changes not yet folded: both in one statement, so that sums over
-- all organisations stay exact.
WITH changes AS (
    DELETE FROM jobs_statusdelta WHERE org_id = %(org_id)s
)
DELETE FROM jobs_statuscount WHERE org_id = %(org_id)s
