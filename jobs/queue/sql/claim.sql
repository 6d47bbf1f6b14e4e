-- Take up to %(slots)s jobs of one queue for a worker, best rank first. Committed before any work begins, so that
-- no row stays locked while a job runs. Each type is read from its own end of the index: a slow type hides none; and
-- from a floor on, below which this worker knows that nothing waits: what was taken before is not read past again
-- while a long transaction elsewhere keeps vacuum from clearing it away.
WITH heads AS MATERIALIZED (
    {{turn}}
        FOR UPDATE SKIP LOCKED
    ) AS head
), picked AS MATERIALIZED (
    SELECT job_id FROM heads ORDER BY rank, job_id LIMIT %(slots)s
), taken AS (
    -- by an array: a join may be planned as a scan of the whole backlog
    DELETE FROM jobs_ready AS ready WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM picked))
    RETURNING ready.*
), {{leased}}
