-- The queues in which something waits, read from one to the next without reading what waits: the jobs without limits
-- by their index, those with limits by theirs.
WITH RECURSIVE busy AS (
    (SELECT queue FROM jobs_ready WHERE NOT held AND limit_key IS NULL ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT further.queue
    FROM busy CROSS JOIN LATERAL (
        SELECT queue FROM jobs_ready
        WHERE NOT held AND limit_key IS NULL AND queue > busy.queue ORDER BY queue LIMIT 1
    ) AS further
), limited AS (
    (SELECT queue FROM jobs_ready WHERE NOT held AND limit_key IS NOT NULL ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT further.queue
    FROM limited CROSS JOIN LATERAL (
        SELECT queue FROM jobs_ready
        WHERE NOT held AND limit_key IS NOT NULL AND queue > limited.queue ORDER BY queue LIMIT 1
    ) AS further
)
SELECT queue FROM busy UNION SELECT queue FROM limited
