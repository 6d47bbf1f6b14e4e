-- Take up to %(slots)s jobs of one queue for a worker, best rank first. Committed before any work begins, so that
-- no row stays locked while a job runs. Each type is read from its own end of the index: a slow type hides none; and
-- from a floor on, below which this worker knows that nothing waits: what was taken before is not read past again
-- while a long transaction elsewhere keeps vacuum from clearing it away.
WITH heads AS MATERIALIZED (
    SELECT head.job_id, head.rank
    FROM unnest(%(types)s::text[], %(floors)s::float8[]) AS served (type, floor)
    CROSS JOIN LATERAL (
        SELECT ready.job_id, ready.rank
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = served.type AND ready.rank >= served.floor
          AND NOT ready.held AND ready.limit_key IS NULL
          -- A pause counts at once, also for rows not yet marked held. In coalesce() the planner cannot guess how
          -- many rows this leaves: guessing none, where one organisation has nearly all, it would sort the backlog.
          AND NOT coalesce(ready.org_id = ANY (ARRAY(
              SELECT org_id FROM jobs_queue WHERE name = %(queue)s AND paused_at IS NOT NULL)), false)
        ORDER BY ready.rank, ready.job_id
        LIMIT %(slots)s
        FOR UPDATE SKIP LOCKED
    ) AS head
), picked AS MATERIALIZED (
    SELECT job_id FROM heads ORDER BY rank, job_id LIMIT %(slots)s
), taken AS (
    -- by an array: a join may be planned as a scan of the whole backlog
    DELETE FROM jobs_ready AS ready WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM picked))
    RETURNING ready.*
), {{leased}}
