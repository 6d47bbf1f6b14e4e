-- Keep a job as it is for the length of a transaction: no claim, end, renewal or promotion of it meanwhile. In the order
-- in which ends of attempts lock; each lock is waited for, so what is read afterwards is what is kept.
WITH leased AS MATERIALIZED (
    SELECT job_id FROM jobs_lease WHERE job_id = %(job_id)s FOR UPDATE
), waiting AS MATERIALIZED (
    SELECT job_id FROM jobs_ready WHERE job_id = %(job_id)s AND (SELECT count(*) FROM leased) >= 0 FOR UPDATE
)
SELECT id FROM jobs_job WHERE id = %(job_id)s AND (SELECT count(*) FROM waiting) >= 0 FOR UPDATE
