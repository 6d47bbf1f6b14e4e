-- The queues in which limited jobs of these organisations, or of these jobs' ones, wait, read from one (queue, type) to the next.
WITH RECURSIVE streams AS (
    (SELECT queue, type FROM jobs_ready WHERE NOT held AND limit_key IS NOT NULL ORDER BY queue, type LIMIT 1)
    UNION ALL
    SELECT further.queue, further.type
    FROM streams CROSS JOIN LATERAL (
        SELECT queue, type FROM jobs_ready
        WHERE NOT held AND limit_key IS NOT NULL AND (queue, type) > (streams.queue, streams.type)
        ORDER BY queue, type
        LIMIT 1
    ) AS further
)
SELECT DISTINCT streams.queue
FROM streams
WHERE EXISTS (
    SELECT FROM jobs_ready AS ready
    WHERE ready.queue = streams.queue AND ready.type = streams.type AND NOT ready.held AND ready.limit_key IS NOT NULL
      AND ready.org_id = ANY (%(org_ids)s::bigint[] || ARRAY(SELECT org_id FROM jobs_job WHERE id = ANY (%(job_ids)s::uuid[]))))
