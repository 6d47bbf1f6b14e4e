-- Take up to %(slots)s limited jobs of one queue for a worker, after lock_limits.sql has taken the limits of their
-- organisations. What runs is counted from the leases, so nothing can be counted wrong for long; a claim counts what
-- all claims before it have taken, and no limit is exceeded at any moment. Limited jobs wait in runs of one
-- (type, organisation, key): a full one is passed in one step, however long it is. The last row has no job and says
-- how to go on (payload).
WITH RECURSIVE {{limited_heads}}, others AS MATERIALIZED (
    -- What claim.sql would take: limited jobs have no more than their turn.
    {{turn}}
    ) AS head
), {{limited_taken}}
