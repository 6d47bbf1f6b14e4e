-- The queues in which something waits, read from one to the next without reading what waits.
WITH RECURSIVE busy AS (
    (SELECT queue FROM jobs_ready WHERE NOT held ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT further.queue
    FROM busy CROSS JOIN LATERAL (
        SELECT queue FROM jobs_ready WHERE NOT held AND queue > busy.queue ORDER BY queue LIMIT 1
    ) AS further
)
SELECT queue FROM busy
