-- Give dead letters a new life: queued again, attempts numbered on, as many tries as before, same correlation id. Those
-- for which there is no room (room_jobs, room_bytes; null: any number has) stay as they are, and are told.
WITH chosen AS MATERIALIZED (
    SELECT id, org_id, queue, type, predicted_ms, stretch, coalesce(%(payload_bytes)s::int, payload_bytes, 0) AS bytes
    FROM jobs_job
    WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s AND status = 'failed'
    ORDER BY id
    FOR UPDATE
), coming AS MATERIALIZED (
    SELECT id, org_id, queue, type, predicted_ms, stretch, place
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS place, sum(bytes) OVER (ORDER BY id) AS bytes_by_then
          FROM chosen) AS placed
    WHERE %(room_jobs)s::bigint IS NULL OR (place <= %(room_jobs)s::bigint AND bytes_by_then <= %(room_bytes)s::bigint)
), {{spaced}}, revived AS (
    UPDATE jobs_job AS job
    SET status = 'queued', queued_at = clock_timestamp(), finished_at = NULL,
        share_offset = spaced.share_offset, rank_offset = spaced.rank_offset, life = job.life + 1, attempt_limit = job.attempt + job.max_attempts,
        payload = coalesce(%(payload)s::jsonb, job.payload),
        payload_bytes = coalesce(%(payload_bytes)s::int, job.payload_bytes),
        result = NULL
    FROM spaced
    WHERE job.id = spaced.id
    RETURNING job.id, job.org_id, job.queue, job.type, job.queued_at, job.rank_offset, job.share_offset, job.attempt,
              job.predicted_ms, job.name, job.limit_key, job.batch_id
), uncounted AS (
    INSERT INTO jobs_ending (org_id, job_id, batch_id, status)
    SELECT org_id, id, batch_id, 'replayed' FROM revived WHERE batch_id IS NOT NULL
), waiting AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, kind_held, limit_key)
    SELECT id, org_id, queue, type, date_part('epoch', queued_at) + share_offset + rank_offset, queued_at, attempt,
           predicted_ms, {{held}}, {{kind_held}}, {{limit_key}}
    FROM revived AS job
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, 'failed', 'queued', attempt, %(actor)s, 'replay', queued_at
    FROM revived
)
SELECT chosen.id AS job_id, chosen.bytes, revived.id IS NOT NULL AS fits, revived.queue,
       date_part('epoch', revived.queued_at) + revived.share_offset + revived.rank_offset AS rank
FROM chosen LEFT JOIN revived ON revived.id = chosen.id
