-- Let jobs go on that waited for others which have ended, and count the ends of batches: at most %(batch)s ends and as
-- many dependencies, so that no lock is held long. A child whose condition can no longer hold is cancelled, which is
-- an end in its turn.
WITH taken AS MATERIALIZED (
    SELECT id FROM jobs_ending ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), heard AS (
    DELETE FROM jobs_ending WHERE id = ANY (ARRAY(SELECT id FROM taken))
    RETURNING id, org_id, job_id, batch_id, status
), parents AS MATERIALIZED (
    SELECT DISTINCT ON (job_id) job_id, org_id, status FROM heard WHERE status <> 'replayed' ORDER BY job_id, id
), met AS MATERIALIZED (
    SELECT link.id, link.child_id, link.condition, parents.job_id AS parent_id, parents.status
    FROM parents
    CROSS JOIN LATERAL (
        SELECT id, child_id, condition
        FROM jobs_dependency
        WHERE parent_id = parents.job_id
        ORDER BY child_id
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ) AS link
    LIMIT %(batch)s
), cut AS (
    DELETE FROM jobs_dependency WHERE id = ANY (ARRAY(SELECT id FROM met))
), left_over AS (
    -- Parents with more children than one statement takes are told of again, but not counted again.
    INSERT INTO jobs_ending (org_id, job_id, status)
    SELECT parents.org_id, parents.job_id, parents.status
    FROM parents
    LEFT JOIN (SELECT parent_id, count(*) AS links FROM met GROUP BY parent_id) AS told ON told.parent_id = parents.job_id
    WHERE (SELECT count(*) FROM met) >= %(batch)s
      AND EXISTS (SELECT FROM jobs_dependency AS link WHERE link.parent_id = parents.job_id
                  ORDER BY link.child_id OFFSET coalesce(told.links, 0) LIMIT 1)
    RETURNING id
), children AS MATERIALIZED (
    SELECT child_id, count(*)::int AS met,
           (array_agg(CASE status WHEN 'failed' THEN 'failed: job ' ELSE 'was cancelled: job ' END || parent_id
                      ORDER BY parent_id)
            FILTER (WHERE condition = 'success' AND status <> 'done'))[1] AS broken
    FROM met
    GROUP BY child_id
), locked AS MATERIALIZED (
    -- two releases with the same children wait for each other in one order
    SELECT id, org_id, queue, type, predicted_ms, stretch, status, waiting_on FROM jobs_job
    WHERE id = ANY (ARRAY(SELECT child_id FROM children)) ORDER BY id FOR NO KEY UPDATE
), coming AS MATERIALIZED (
    SELECT id, org_id, queue, type, predicted_ms, stretch, row_number() OVER (ORDER BY id) AS place
    FROM locked
    -- looked up, not joined: that could be planned as each with each; as below
    WHERE status = 'scheduled' AND waiting_on > 0
      AND waiting_on <= ((SELECT jsonb_object_agg(child_id, met) FROM children WHERE broken IS NULL) ->> id::text)::int
), {{spaced}}, placed AS MATERIALIZED (
    SELECT jsonb_object_agg(id, jsonb_build_array(share_offset, rank_offset)) AS places FROM spaced
), told AS (
    UPDATE jobs_job AS job
    SET waiting_on = CASE WHEN broken IS NULL THEN job.waiting_on - met ELSE 0 END,
        status = CASE WHEN broken IS NOT NULL THEN 'cancelled' WHEN job.waiting_on > met THEN 'scheduled' ELSE 'queued' END,
        queued_at = CASE WHEN broken IS NULL AND job.waiting_on <= met THEN clock_timestamp() END,
        share_offset = coalesce(((SELECT places FROM placed) -> job.id::text ->> 0)::float8, 0),
        rank_offset = coalesce(((SELECT places FROM placed) -> job.id::text ->> 1)::float8, job.rank_offset),
        finished_at = CASE WHEN broken IS NOT NULL THEN clock_timestamp() END
    FROM children
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked)) AND job.id = children.child_id
      -- one that a person has cancelled meanwhile stays so
      AND job.status = 'scheduled' AND job.waiting_on > 0
    RETURNING job.id, job.org_id, job.queue, job.type, job.status, job.queued_at, job.finished_at, job.rank_offset, job.share_offset,
              job.attempt, job.predicted_ms, job.name, job.limit_key, job.has_dependents, job.batch_id, children.broken,
              {{event}} AS event
), news AS (
    SELECT id, org_id, type, status, event FROM told WHERE event IS NOT NULL
), announced AS (
    {{announce}}
), waiting AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, kind_held, limit_key)
    SELECT id, org_id, queue, type, date_part('epoch', queued_at) + share_offset + rank_offset, queued_at, attempt,
           predicted_ms, {{kept_back}}, {{kind_held}}, {{limit_key}}
    FROM told AS job
    WHERE status = 'queued'
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, 'scheduled', status, attempt, 'system', 'dependency' || coalesce(' ' || broken, ''),
           coalesce(queued_at, finished_at)
    FROM told
    WHERE status <> 'scheduled'
), ended AS (
    INSERT INTO jobs_ending (org_id, job_id, batch_id, status)
    SELECT org_id, id, batch_id, status
    FROM told
    WHERE status = 'cancelled' AND (has_dependents OR batch_id IS NOT NULL)
    RETURNING id
), tallies AS MATERIALIZED (
    SELECT batch_id,
           count(*) FILTER (WHERE status = 'done')::int AS done,
           (count(*) FILTER (WHERE status = 'failed') - count(*) FILTER (WHERE status = 'replayed'))::int AS failed,
           count(*) FILTER (WHERE status = 'cancelled')::int AS cancelled
    FROM heard
    WHERE batch_id IS NOT NULL
    GROUP BY batch_id
), batches AS MATERIALIZED (
    SELECT id FROM jobs_batch WHERE id = ANY (ARRAY(SELECT batch_id FROM tallies)) ORDER BY id FOR NO KEY UPDATE
), counted AS (
    UPDATE jobs_batch AS batch
    SET done = batch.done + tallies.done,
        failed = batch.failed + tallies.failed,
        cancelled = batch.cancelled + tallies.cancelled,
        finished_at = CASE
            WHEN batch.done + batch.failed + batch.cancelled + tallies.done + tallies.failed + tallies.cancelled
                 = batch.total THEN clock_timestamp() END,
        callback_due_at = CASE
            WHEN callback IS NULL OR callback_job_id IS NOT NULL OR callback_error <> '' THEN NULL
            WHEN batch.done + tallies.done = batch.total
                 OR (callback_when = 'end'
                     AND batch.done + batch.failed + batch.cancelled + tallies.done + tallies.failed + tallies.cancelled
                         = batch.total)
            THEN clock_timestamp() ELSE callback_due_at END
    FROM tallies
    WHERE batch.id = ANY (ARRAY(SELECT id FROM batches)) AND batch.id = tallies.batch_id
    RETURNING batch.callback_due_at
)
SELECT (SELECT count(*) FROM taken) = %(batch)s OR EXISTS (SELECT FROM left_over) OR EXISTS (SELECT FROM ended) AS more,
       EXISTS (SELECT FROM counted WHERE callback_due_at IS NOT NULL) AS callback,
       coalesce((SELECT array_agg(DISTINCT queue) FROM told WHERE status = 'queued'), '{}') AS queues,
       (SELECT min(date_part('epoch', queued_at) + share_offset + rank_offset) FROM told WHERE status = 'queued') AS rank
