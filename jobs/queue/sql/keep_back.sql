-- No worker takes these jobs until the operation has acted on them, or was undone. Locked before: see hold_jobs.sql.
WITH noted AS (
    INSERT INTO jobs_bulkhold (org_id, operation_id, job_id, hides)
    SELECT %(org_id)s, %(operation_id)s, id, %(hides)s FROM jobs_job
    WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s
    ORDER BY id
    RETURNING job_id
)
UPDATE jobs_ready SET held = true WHERE job_id = ANY(%(job_ids)s) AND org_id = %(org_id)s
