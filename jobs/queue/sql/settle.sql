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
        outcome, runtime_ms, predicted_ms, predicted_low_ms, predicted_high_ms, model_version, error_type, error,
        queue, queued_at, to_status
    )
    SELECT job_id, org_id, attempt, type, name, worker_id, worker_name, leased_at, renewed_at, ended_at,
           outcome, date_part('epoch', ended_at - leased_at) * 1000, predicted_ms,
           predicted_low_ms, predicted_high_ms, model_version, error_type, error, queue, queued_at, to_status
    FROM decided
), settled AS (
    UPDATE jobs_job AS job
    SET status = decided.to_status,
        attempt = decided.attempt,
        attempt_limit = job.attempt_limit + CASE WHEN decided.outcome = 'released' THEN 1 ELSE 0 END,
        run_at = CASE WHEN decided.to_status = 'scheduled'
                      THEN decided.ended_at + make_interval(secs => decided.retry_seconds) ELSE job.run_at END,
        queued_at = CASE WHEN decided.to_status = 'queued' THEN decided.ended_at ELSE job.queued_at END,
        -- what is put back had its turn: its rank stays
        share_offset = job.share_offset - CASE WHEN decided.to_status = 'queued'
                                          THEN date_part('epoch', decided.ended_at - job.queued_at) ELSE 0 END,
        started_at = decided.leased_at,
        finished_at = CASE WHEN decided.to_status IN ('done', 'failed', 'cancelled') THEN decided.ended_at END,
        runtime_ms = date_part('epoch', decided.ended_at - decided.leased_at) * 1000,
        result = decided.result,
        outcome = decided.outcome,
        error_type = decided.error_type,
        error = decided.error
    FROM decided
    WHERE job.id = decided.job_id
    RETURNING job.id, job.org_id, job.queue, job.type, job.status, job.has_dependents, job.batch_id, {{event}} AS event,
              job.queued_at, job.attempt, job.limit_key, job.created_by_id, job.name, job.outcome, job.runtime_ms,
              decided.ended_at, decided.predicted_ms, decided.predicted_low_ms, decided.predicted_high_ms,
              decided.failure_probability, decided.model_version,
              date_part('epoch', job.queued_at) + job.share_offset + job.rank_offset AS rank
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
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, kind_held, limit_key)
    SELECT id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, {{held}}, {{kind_held}}, {{limit_key}}
    FROM settled AS job
    WHERE status = 'queued'
    RETURNING job_id, rank
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, job_id, queue, 'running', to_status, attempt, %(actor)s,
           left(concat_ws(': ', nullif(nullif(outcome, to_status), 'error'), nullif(error_type, '')), 200), ended_at
    FROM decided
), learned AS (
    -- For the leader to fold (fold_runs.sql). Inserted, never updated: the row of an organisation would be fought over by
    -- all its workers.
    INSERT INTO jobs_rundelta (
        org_id, person, type, name, runtimes_ms, failed, ended, predicted_ms, predicted_low_ms, predicted_high_ms,
        failure_probability, model_version
    )
    SELECT org_id, coalesce(created_by_id::text, ''), type, name,
           array_agg(runtime_ms), array_agg(outcome <> 'done'), array_agg(date_part('epoch', ended_at)),
           array_agg(predicted_ms), array_agg(predicted_low_ms), array_agg(predicted_high_ms),
           array_agg(failure_probability), array_agg(model_version)
    FROM settled
    WHERE outcome IN ('done', 'error', 'timeout')
    GROUP BY org_id, created_by_id, type, name
)
SELECT job_id, attempt, queue, to_status,
       CASE WHEN to_status = 'queued'
            -- looked up, not joined: that could be planned as each with each
            THEN coalesce(((SELECT jsonb_object_agg(job_id, rank) FROM requeued) ->> job_id::text)::float8,
                          date_part('epoch', ended_at)) END AS rank,
       -- a place or a token of a limit: the job has a key, or was limited when it was claimed
       limit_key IS NOT NULL AND EXISTS (SELECT FROM jobs_limit AS limited WHERE {{applies}}) AS frees,
       EXISTS (SELECT FROM noted) AS awaited
FROM decided AS job
