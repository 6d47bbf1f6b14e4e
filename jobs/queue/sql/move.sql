-- Put jobs that wait into another queue: what is due comes in there behind what its organisation has there, as if it were
-- queued now, and in the order that the ranks said. What a worker is taking at this moment is that worker's, and is left as
-- it is; a queue that is closed takes none. The places are locked first, as by a claim, then the jobs, then the share.
WITH waiting AS MATERIALIZED (
    SELECT job_id, rank FROM jobs_ready WHERE job_id = ANY(%(job_ids)s) AND org_id = %(org_id)s::bigint
    ORDER BY job_id
    FOR UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
    SELECT id, org_id, queue, type, status, predicted_ms, (%(stretches)s::jsonb ->> id::text)::float8 AS stretch
    FROM jobs_job
    WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s::bigint AND queue <> %(queue)s
      AND NOT EXISTS (
        SELECT FROM jobs_queue AS closed
        WHERE closed.org_id = %(org_id)s::bigint AND closed.name = %(queue)s AND closed.closed_at IS NOT NULL)
      AND (status = 'scheduled' OR status = 'queued' AND id = ANY (ARRAY(SELECT job_id FROM waiting)))
    ORDER BY id
    FOR UPDATE
), coming AS MATERIALIZED (
    SELECT id, org_id, %(queue)s::text AS queue, type, predicted_ms, stretch,
           row_number() OVER (ORDER BY rank, id) AS place
    FROM chosen JOIN waiting ON waiting.job_id = chosen.id
    WHERE status = 'queued'
), {{spaced}}, moved AS (
    UPDATE jobs_job AS job
    SET queue = %(queue)s, stretch = chosen.stretch,
        queued_at = CASE WHEN chosen.status = 'queued'
                         THEN statement_timestamp() + spaced.place * interval '1 microsecond' ELSE job.queued_at END,
        share_offset = coalesce(spaced.share_offset, job.share_offset),
        rank_offset = coalesce(spaced.rank_offset, job.rank_offset / job.stretch * chosen.stretch)
    FROM chosen LEFT JOIN spaced ON spaced.id = chosen.id
    WHERE job.id = chosen.id AND job.id = ANY (ARRAY(SELECT id FROM chosen))
    RETURNING job.id, job.org_id, job.queue, job.type, job.status, job.attempt, job.queued_at, job.share_offset,
              job.rank_offset, job.limit_key, job.name, chosen.queue AS was
), places AS MATERIALIZED (
    SELECT job.id, job.queued_at, date_part('epoch', job.queued_at) + job.share_offset + job.rank_offset AS rank,
           {{kept_back}} AS held, {{limit_key}} AS limit_key
    FROM moved AS job
), placed AS (
    UPDATE jobs_ready AS ready
    SET queue = %(queue)s, queued_at = places.queued_at, rank = places.rank, held = places.held,
        limit_key = places.limit_key
    FROM places
    WHERE ready.job_id = places.id AND ready.job_id = ANY (ARRAY(SELECT id FROM places))
    RETURNING ready.job_id, ready.rank, ready.limit_key IS NOT NULL AS limited
), counted AS (
    -- the trigger that counts moves knows those between statuses only
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, side.queue, status, sum(change)
    FROM moved
    CROSS JOIN LATERAL (VALUES (was, -1), (moved.queue, 1)) AS side (queue, change)
    GROUP BY org_id, side.queue, status
), noted AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, status, status, attempt, %(actor)s, left('from ' || was || %(reason)s, 200),
           clock_timestamp()
    FROM moved
)
SELECT moved.id AS job_id, moved.was, placed.rank, placed.limited
FROM moved LEFT JOIN placed ON placed.job_id = moved.id
