-- Give waiting jobs of an organisation whose limits or paused kinds were changed the limit_key and the hold that they are
-- to have now: a bounded batch, in order of queueing after the last one looked at. What others have locked at this moment stays as it is.
WITH batch AS MATERIALIZED (
    SELECT job_id, queued_at, limit_key, held, kind_held
    FROM jobs_ready
    WHERE org_id = %(org_id)s AND queued_at >= %(after_at)s::timestamptz
      AND (queued_at, job_id) > (%(after_at)s::timestamptz, %(after_id)s::uuid)
    ORDER BY queued_at, job_id
    LIMIT %(batch)s
), judged AS MATERIALIZED (
    SELECT job.id AS job_id, {{limit_key}} AS limit_key, {{kept_back}} AS held, {{kind_held}} AS kind_held
    FROM jobs_job AS job
    WHERE job.id = ANY (ARRAY(SELECT job_id FROM batch))
), wrong AS MATERIALIZED (
    SELECT judged.*
    FROM judged
    JOIN batch ON batch.job_id = judged.job_id
        AND (batch.limit_key, batch.held, batch.kind_held) IS DISTINCT FROM (judged.limit_key, judged.held, judged.kind_held)
), chosen AS MATERIALIZED (
    SELECT job_id FROM jobs_ready
    WHERE job_id = ANY (ARRAY(SELECT job_id FROM wrong))
    FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE jobs_ready AS ready SET limit_key = wrong.limit_key, held = wrong.held, kind_held = wrong.kind_held
    FROM wrong
    WHERE ready.job_id = wrong.job_id AND ready.job_id = ANY (ARRAY(SELECT job_id FROM chosen))
    RETURNING ready.queue, ready.rank
), last AS (
    SELECT queued_at, job_id FROM batch ORDER BY queued_at DESC, job_id DESC LIMIT 1
), queues AS (
    SELECT queue, count(*) AS jobs, min(rank) AS rank FROM marked GROUP BY queue
)
SELECT (SELECT queued_at FROM last) AS last_at, (SELECT job_id FROM last) AS last_id,
       (SELECT count(*) FROM batch) AS looked_at,
       coalesce((SELECT sum(jobs) FROM queues), 0)::int AS marked,
       coalesce((SELECT jsonb_agg(jsonb_build_array(queue, rank)) FROM queues), '[]') AS places
