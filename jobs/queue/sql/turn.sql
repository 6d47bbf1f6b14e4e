-- Up to %(slots)s jobs of each type (head), best rank first, of those that no limit is about. Each type is looked for
-- in one span of ranks or several: between them this worker knows that nothing waits.
SELECT head.job_id, head.rank
    FROM unnest(%(span_types)s::text[], %(floors)s::float8[], %(ceilings)s::float8[]) AS served (type, floor, ceiling)
    CROSS JOIN LATERAL (
        SELECT ready.job_id, ready.rank
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = served.type AND ready.rank >= served.floor
          AND ready.rank <= served.ceiling
          AND NOT ready.held AND ready.limit_key IS NULL
          -- A pause counts at once, as does the end of a whole organisation's turn, also for rows not yet marked held.
          -- In coalesce() the planner cannot guess how many rows this leaves: guessing none, where one organisation
          -- has nearly all, it would sort the backlog.
          AND NOT coalesce(ready.org_id = ANY (ARRAY(
              SELECT org_id FROM jobs_queue WHERE name = %(queue)s AND paused_at IS NOT NULL
              UNION ALL
              SELECT org.id FROM orgs_org AS org WHERE {{halted}}
              UNION ALL
              SELECT org_id FROM jobs_pause WHERE type = '')), false)
        ORDER BY ready.rank, ready.job_id
        LIMIT %(slots)s
