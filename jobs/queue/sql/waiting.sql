-- Whether a claim of these queues and types could find anything, seen past the locks of other workers' claims.
SELECT EXISTS (
    SELECT FROM unnest(%(queues)s::text[]) AS asked (queue)
    CROSS JOIN unnest(%(types)s::text[]) AS served (type)
    CROSS JOIN LATERAL (
        SELECT FROM jobs_ready AS ready
        WHERE ready.queue = asked.queue AND ready.type = served.type AND NOT ready.held AND ready.limit_key IS NULL
          AND NOT EXISTS (
              SELECT FROM jobs_queue AS paused
              WHERE paused.name = ready.queue AND paused.org_id = ready.org_id AND paused.paused_at IS NOT NULL)
          AND NOT coalesce(ready.org_id = ANY ({{stopped_orgs}}), false)
        ORDER BY ready.rank, ready.job_id
        LIMIT 1
    ) AS head
) AS waiting
