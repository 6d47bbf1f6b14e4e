-- Fold the changes of the counts into the counts. Both are read in one statement, so a reader always sums exactly.
WITH oldest AS MATERIALIZED (
    SELECT id FROM jobs_statusdelta ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM jobs_statusdelta WHERE id = ANY (ARRAY(SELECT id FROM oldest))
    RETURNING org_id, queue, status, jobs
), kept AS (
    INSERT INTO jobs_statuscount AS kept (org_id, queue, status, jobs)
    SELECT org_id, queue, status, sum(jobs) FROM taken
    GROUP BY org_id, queue, status
    ORDER BY org_id, queue, status
    ON CONFLICT (org_id, queue, status) DO UPDATE SET jobs = kept.jobs + excluded.jobs
)
SELECT count(*) AS folded FROM taken
