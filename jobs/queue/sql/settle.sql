-- How an attempt ends, for finish.sql, rescue.sql and give_back.sql, which say in `freed` which leases ended and how.
decided AS MATERIALIZED (
    SELECT freed.*, clock_timestamp() AS ended_at,
           CASE
               WHEN outcome IN ('done', 'cancelled') THEN outcome
               WHEN cancel_requested THEN 'cancelled'
               WHEN outcome = 'released' THEN 'queued'
               WHEN permanent OR attempt >= attempt_limit THEN 'failed'
               -- the lease's length was wait enough
               WHEN outcome = 'lost' THEN 'queued'
               ELSE 'scheduled'
           END AS to_status
    FROM freed
), tried AS (
    INSERT INTO jobs_attempt (
        job_id, org_id, number, type, name, worker_id, worker_name, started_at, last_beat_at, ended_at,
        outcome, runtime_ms, predicted_ms, predicted_low_ms, predicted_high_ms, model_version, error_type, error
    )
    SELECT job_id, org_id, attempt, type, name, worker_id, worker_name, leased_at, renewed_at, ended_at,
           outcome, date_part('epoch', ended_at - leased_at) * 1000, predicted_ms,
           predicted_low_ms, predicted_high_ms, model_version, error_type, error
    FROM decided
), {{judged}}, settled AS (
    UPDATE jobs_job AS job
    SET status = decided.to_status,
        attempt = decided.attempt,
        attempt_limit = job.attempt_limit + CASE WHEN decided.outcome = 'released' THEN 1 ELSE 0 END,
        run_at = CASE WHEN decided.to_status = 'scheduled'
                      THEN decided.ended_at + make_interval(secs => decided.retry_seconds) ELSE job.run_at END,
        queued_at = CASE WHEN decided.to_status = 'queued' THEN decided.ended_at ELSE job.queued_at END,
        started_at = decided.leased_at,
        finished_at = CASE WHEN decided.to_status IN ('done', 'failed', 'cancelled') THEN decided.ended_at END,
        runtime_ms = date_part('epoch', decided.ended_at - decided.leased_at) * 1000,
        result = decided.result,
        outcome = decided.outcome,
        error_type = decided.error_type,
        error = decided.error
    FROM decided
    WHERE job.id = decided.job_id
    RETURNING job.id, job.org_id, job.type, job.status, job.has_dependents, job.batch_id, {{event}} AS event
), news AS (
    SELECT id, org_id, type, status, event FROM settled WHERE event IS NOT NULL
), announced AS (
    {{announce}}
), noted AS (
    -- who waits for these is told by release.sql
    INSERT INTO jobs_ending (org_id, job_id, batch_id, status)
    SELECT org_id, id, batch_id, status
    FROM settled
    WHERE (has_dependents OR batch_id IS NOT NULL) AND status IN ('done', 'failed', 'cancelled')
    RETURNING id
), requeued AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, limit_key)
    SELECT job_id, org_id, queue, type, date_part('epoch', ended_at) + rank_offset, ended_at, attempt, predicted_ms,
           {{held}}, {{limit_key}}
    FROM decided AS job
    -- a job that is no more has no place
    WHERE to_status = 'queued' AND EXISTS (SELECT FROM jobs_job AS known WHERE known.id = job.job_id)
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, job_id, queue, 'running', to_status, attempt, %(actor)s,
           left(concat_ws(': ', nullif(nullif(outcome, to_status), 'error'), nullif(error_type, '')), 200), ended_at
    FROM decided
), learned AS (
    -- What the predictor knows of this kind of job. Sorted, so that two batches lock the rows in one order.
    INSERT INTO jobs_runtimehistory AS known (
        org_id, type, name, runtimes_ms, gaps_seconds, failed, runs, failures, last_ended_at
    )
    SELECT org_id, type, name,
           (array_agg(date_part('epoch', ended_at - leased_at) * 1000 ORDER BY leased_at))[:16],
           array_fill(0::float8, ARRAY[least(count(*), 16)::int]),
           (array_agg(outcome <> 'done' ORDER BY leased_at))[:16],
           count(*), count(*) FILTER (WHERE outcome <> 'done'), max(ended_at)
    FROM decided
    WHERE outcome IN ('done', 'error', 'timeout')
    GROUP BY org_id, type, name
    ORDER BY org_id, type, name
    ON CONFLICT (org_id, type, name) DO UPDATE
    SET runtimes_ms = (known.runtimes_ms || excluded.runtimes_ms)
                      [greatest(cardinality(known.runtimes_ms || excluded.runtimes_ms) - 15, 1):],
        gaps_seconds = (known.gaps_seconds || array_fill(
                            greatest(date_part('epoch', excluded.last_ended_at - known.last_ended_at), 0)::float8
                                / excluded.runs,
                            ARRAY[cardinality(excluded.runtimes_ms)]))
                       [greatest(cardinality(known.gaps_seconds || excluded.gaps_seconds) - 15, 1):],
        failed = (known.failed || excluded.failed)
                 [greatest(cardinality(known.failed || excluded.failed) - 15, 1):],
        runs = known.runs + excluded.runs,
        failures = known.failures + excluded.failures,
        last_ended_at = greatest(known.last_ended_at, excluded.last_ended_at)
)
SELECT job_id, attempt, queue, to_status,
       CASE WHEN to_status = 'queued' THEN date_part('epoch', ended_at) + rank_offset END AS rank,
       -- a place or a token of a limit: the job has a key, or was limited when it was claimed
       limit_key IS NOT NULL AND EXISTS (SELECT FROM jobs_limit AS limited WHERE {{applies}}) AS frees,
       EXISTS (SELECT FROM noted) AS awaited
FROM decided AS job
