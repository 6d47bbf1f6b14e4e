-- Take up to %(slots)s external jobs of one organisation's queue for a worker of its own, best rank first: claim.sql for
-- those whose order is an index of their own, so that what waits for others costs nothing.
WITH picked AS MATERIALIZED (
    {{external_turn}}
        FOR UPDATE OF ready SKIP LOCKED
    ) AS head
), taken AS (
    DELETE FROM jobs_ready AS ready WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM picked))
    RETURNING ready.*
), {{leased}}
