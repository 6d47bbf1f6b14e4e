-- Take up to %(slots)s jobs of one queue for a worker, best rank first. Committed before any work begins, so that
-- no row stays locked while a job runs. Each type is read from its own end of the index: a slow type hides none.
WITH heads AS MATERIALIZED (
    SELECT head.job_id, head.rank
    FROM unnest(%(types)s::text[]) AS served (type)
    CROSS JOIN LATERAL (
        SELECT ready.job_id, ready.rank
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = served.type AND NOT ready.held
          -- A pause counts at once, also for rows not yet marked held. In coalesce() the planner cannot guess how
          -- many rows this leaves: guessing none, where one organisation has nearly all, it would sort the backlog.
          AND NOT coalesce(ready.org_id = ANY (ARRAY(
              SELECT org_id FROM jobs_queue WHERE name = %(queue)s AND paused_at IS NOT NULL)), false)
        ORDER BY ready.rank, ready.job_id
        LIMIT %(slots)s
        FOR UPDATE SKIP LOCKED
    ) AS head
), picked AS MATERIALIZED (
    SELECT job_id FROM heads ORDER BY rank, job_id LIMIT %(slots)s
), taken AS (
    -- by an array: a join may be planned as a scan of the whole backlog
    DELETE FROM jobs_ready AS ready WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM picked))
    RETURNING ready.*
), leased AS (
    INSERT INTO jobs_lease (
        job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms,
        leased_at, renewed_at, expires_at, cancel_requested, progress_message
    )
    SELECT job_id, org_id, queue, type, attempt + 1, gen_random_uuid(), %(worker_id)s, %(worker_name)s, predicted_ms,
           clock_timestamp(), clock_timestamp(), clock_timestamp() + make_interval(secs => %(lease_seconds)s),
           false, ''
    FROM taken
    RETURNING *
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, job_id, queue, 'queued', 'running', attempt, %(actor)s, '', leased_at
    FROM leased
)
SELECT leased.job_id, leased.attempt, leased.token, leased.queue, leased.type, job.name, job.payload,
       job.correlation_id, job.timeout_seconds, job.max_attempts, job.attempt_limit, org.slug AS org,
       org.id AS org_id, org.shell_programs
FROM leased
JOIN jobs_job AS job ON job.id = leased.job_id
JOIN orgs_org AS org ON org.id = leased.org_id
