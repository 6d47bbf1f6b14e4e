-- Put a job off that waits: until a time, or for so many seconds. One that waits for others has no time of its own.
WITH waiting AS (
    DELETE FROM jobs_ready WHERE job_id = %(job_id)s::uuid AND org_id = %(org_id)s::bigint
    RETURNING job_id
), planned AS MATERIALIZED (
    SELECT id AS job_id, run_at FROM jobs_job
    WHERE id = %(job_id)s::uuid AND org_id = %(org_id)s::bigint AND status = 'scheduled' AND waiting_on = 0
    FOR UPDATE
), held AS (
    SELECT job_id, 'queued' AS from_status, NULL::timestamptz AS run_at FROM waiting
    UNION ALL
    SELECT job_id, 'scheduled', run_at FROM planned
), snoozed AS (
    UPDATE jobs_job AS job
    SET status = 'scheduled',
        run_at = coalesce(%(run_at)s::timestamptz, clock_timestamp() + make_interval(secs => %(seconds)s::float8))
    FROM held
    WHERE job.id = held.job_id AND job.status = held.from_status
    RETURNING job.id, job.org_id, job.queue, held.from_status, job.attempt, job.run_at, held.run_at AS was_due_at
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, from_status, 'scheduled', attempt, %(actor)s, %(reason)s, clock_timestamp()
    FROM snoozed
)
SELECT from_status AS was, was_due_at, run_at FROM snoozed
