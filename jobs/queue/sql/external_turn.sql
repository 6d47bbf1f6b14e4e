-- The external jobs of one organisation in one of its queues that no limit is about (head), best rank first. A pause
-- counts at once, also for rows not yet marked held. The two are arrays of one: of a value that it knows, and knows
-- little of, the planner takes another index for as good, and sorts.
SELECT head.job_id, head.rank
    FROM unnest(ARRAY[%(org_id)s::bigint], ARRAY[%(queue)s::text]) AS asked (org_id, queue)
    CROSS JOIN LATERAL (
        SELECT ready.job_id, ready.rank
        FROM jobs_ready AS ready
        WHERE ready.org_id = asked.org_id AND ready.queue = asked.queue AND ready.type = 'external'
          AND NOT ready.held AND ready.limit_key IS NULL
          AND NOT EXISTS (
              SELECT FROM jobs_queue AS paused
              WHERE paused.org_id = asked.org_id AND paused.name = asked.queue AND paused.paused_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM orgs_org AS org WHERE org.id = asked.org_id AND {{stopped}})
        ORDER BY ready.rank, ready.job_id
        LIMIT %(slots)s
