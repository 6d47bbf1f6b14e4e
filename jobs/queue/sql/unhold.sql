-- Let held jobs whose queue is not paused, and whose organisation may begin something, be claimed again; a bounded batch.
-- Those that wait for an act which can still be undone stay (keep_back.sql), and those of a paused kind are looked at by
-- mark_limited.sql when that changes. The index is read from one (queue, organisation) to the next, so that a great
-- backlog of what stays held costs nothing.
WITH RECURSIVE streams AS (
    (SELECT queue, org_id FROM jobs_ready WHERE held AND NOT kind_held ORDER BY queue, org_id LIMIT 1)
    UNION ALL
    SELECT further.queue, further.org_id
    FROM streams CROSS JOIN LATERAL (
        SELECT queue, org_id FROM jobs_ready
        WHERE held AND NOT kind_held AND (queue, org_id) > (streams.queue, streams.org_id)
        ORDER BY queue, org_id
        LIMIT 1
    ) AS further
), resumed AS (
    SELECT queue, org_id FROM streams
    WHERE NOT EXISTS (
        SELECT FROM jobs_queue AS paused
        WHERE paused.org_id = streams.org_id AND paused.name = streams.queue AND paused.paused_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM orgs_org AS org WHERE org.id = streams.org_id AND {{stopped}})
), chosen AS MATERIALIZED (
    SELECT waiting.job_id
    FROM resumed CROSS JOIN LATERAL (
        SELECT job_id FROM jobs_ready AS ready
        WHERE ready.held AND NOT ready.kind_held AND ready.queue = resumed.queue AND ready.org_id = resumed.org_id
          AND NOT EXISTS (SELECT FROM jobs_bulkhold AS act WHERE act.job_id = ready.job_id)
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ) AS waiting
    LIMIT %(batch)s
), freed AS (
    UPDATE jobs_ready AS ready SET held = false
    WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM chosen))
    RETURNING ready.queue, ready.rank
)
SELECT queue, count(*) AS jobs, min(rank) AS rank FROM freed GROUP BY queue
