-- As hold_job.sql, for some jobs: those that are running are not waited for.
WITH waiting AS MATERIALIZED (
    SELECT job_id FROM jobs_ready WHERE job_id = ANY(%(job_ids)s) AND org_id = %(org_id)s ORDER BY job_id FOR UPDATE
)
SELECT id FROM jobs_job
WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s AND (SELECT count(*) FROM waiting) >= 0
ORDER BY id
FOR UPDATE
