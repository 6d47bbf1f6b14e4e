-- Let held jobs whose queue is no longer paused be claimed again; a bounded batch. The index is read from one
-- (queue, organisation) to the next, so that a great backlog of a queue that stays paused costs nothing.
WITH RECURSIVE streams AS (
    (SELECT queue, org_id FROM jobs_ready WHERE held ORDER BY queue, org_id LIMIT 1)
    UNION ALL
    SELECT further.queue, further.org_id
    FROM streams CROSS JOIN LATERAL (
        SELECT queue, org_id FROM jobs_ready
        WHERE held AND (queue, org_id) > (streams.queue, streams.org_id)
        ORDER BY queue, org_id
        LIMIT 1
    ) AS further
), resumed AS (
    SELECT queue, org_id FROM streams
    WHERE NOT EXISTS (
        SELECT FROM jobs_queue AS paused
        WHERE paused.org_id = streams.org_id AND paused.name = streams.queue AND paused.paused_at IS NOT NULL)
), chosen AS MATERIALIZED (
    SELECT waiting.job_id
    FROM resumed CROSS JOIN LATERAL (
        SELECT job_id FROM jobs_ready AS ready
        WHERE ready.held AND ready.queue = resumed.queue AND ready.org_id = resumed.org_id
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
