-- Cancel waiting jobs at once; ask the worker of a running one to stop. What is not in the answer was neither.
WITH waiting AS (
    DELETE FROM jobs_ready WHERE job_id = ANY(%(job_ids)s) AND org_id = %(org_id)s
    RETURNING job_id
), planned AS MATERIALIZED (
    SELECT id AS job_id FROM jobs_job
    WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s AND status = 'scheduled'
    FOR UPDATE
), held AS (
    SELECT job_id, 'queued' AS from_status FROM waiting
    UNION ALL
    SELECT job_id, 'scheduled' FROM planned
), cancelled AS (
    UPDATE jobs_job AS job
    SET status = 'cancelled', finished_at = clock_timestamp(), waiting_on = 0
    FROM held
    WHERE job.id = held.job_id AND job.status = held.from_status
    RETURNING job.id, job.org_id, job.queue, job.type, job.status, held.from_status, job.attempt, job.finished_at,
              job.has_dependents, job.batch_id, {{event}} AS event
), news AS (
    SELECT id, org_id, type, status, event FROM cancelled WHERE event IS NOT NULL
), announced AS (
    {{announce}}
), noted AS (
    INSERT INTO jobs_ending (org_id, job_id, batch_id, status)
    SELECT org_id, id, batch_id, 'cancelled' FROM cancelled WHERE has_dependents OR batch_id IS NOT NULL
    RETURNING id
), asked AS (
    UPDATE jobs_lease SET cancel_requested = true
    WHERE job_id = ANY(%(job_ids)s) AND org_id = %(org_id)s
    RETURNING job_id
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, from_status, 'cancelled', attempt, %(actor)s, %(reason)s, finished_at
    FROM cancelled
)
SELECT id AS job_id, from_status AS was, 'cancelled' AS became, EXISTS (SELECT FROM noted) AS awaited FROM cancelled
UNION ALL
SELECT job_id, 'running', 'cancelling', false FROM asked
