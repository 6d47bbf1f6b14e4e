-- Whether limited jobs of these queues and types wait at all.
SELECT EXISTS (
    SELECT FROM unnest(%(queues)s::text[]) AS asked (queue)
    CROSS JOIN unnest(%(types)s::text[]) AS served (type)
    CROSS JOIN LATERAL (
        SELECT FROM jobs_ready AS ready
        WHERE ready.queue = asked.queue AND ready.type = served.type AND NOT ready.held AND ready.limit_key IS NOT NULL
        ORDER BY ready.org_id, ready.limit_key, ready.rank
        LIMIT 1
    ) AS head
) AS waiting
