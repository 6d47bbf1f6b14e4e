-- Which of these (organisation, queue) pairs, by their places, have an external job that may be claimed: one row is read
-- of each, and one more of those that wait for a limit.
SELECT asked.place::int
FROM unnest(%(org_ids)s::bigint[], %(queues)s::text[]) WITH ORDINALITY AS asked (org_id, queue, place)
CROSS JOIN LATERAL (
    (SELECT FROM jobs_ready AS ready
     WHERE ready.org_id = asked.org_id AND ready.queue = asked.queue AND ready.type = 'external'
       AND NOT ready.held AND ready.limit_key IS NULL
     ORDER BY ready.rank, ready.job_id
     LIMIT 1)
    UNION ALL
    (SELECT FROM jobs_ready AS ready
     WHERE ready.queue = asked.queue AND ready.type = 'external' AND ready.org_id = asked.org_id
       AND NOT ready.held AND ready.limit_key IS NOT NULL
     ORDER BY ready.limit_key, ready.rank
     LIMIT 1)
    LIMIT 1
) AS head
WHERE NOT EXISTS (
    SELECT FROM jobs_queue AS paused
    WHERE paused.org_id = asked.org_id AND paused.name = asked.queue AND paused.paused_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM orgs_org AS org WHERE org.id = asked.org_id AND {{stopped}})
