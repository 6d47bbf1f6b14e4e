-- Before claim_limited.sql, in its transaction: take the limits of the organisations whose limited jobs wait in this
-- queue, for claim_limited to count what runs as all others have left it. An organisation that another claim has at
-- this moment is passed over (busy), so nobody waits. Locks of ours and not of rows: one that finds nothing to take
-- then writes nothing. What was locked is told to the next statement by a setting, which ends with the transaction.
WITH RECURSIVE waiting AS (
    SELECT served.type, head.org_id, 1 AS step
    FROM unnest(%(types)s::text[]) AS served (type)
    CROSS JOIN LATERAL (
        SELECT ready.org_id
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = served.type AND NOT ready.held AND ready.limit_key IS NOT NULL
          AND ready.org_id >= %(after_org)s::bigint
        ORDER BY ready.org_id
        LIMIT 1
    ) AS head
    UNION ALL
    SELECT waiting.type, further.org_id, step + 1
    FROM waiting
    CROSS JOIN LATERAL (
        SELECT ready.org_id
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = waiting.type AND NOT ready.held AND ready.limit_key IS NOT NULL
          AND ready.org_id > waiting.org_id
        ORDER BY ready.org_id
        LIMIT 1
    ) AS further
    WHERE step < %(runs)s
), tried AS MATERIALIZED (
    SELECT org_id, pg_try_advisory_xact_lock(hashtextextended('smartqueue limits ' || org_id, 0)) AS locked
    FROM (SELECT DISTINCT org_id FROM waiting) AS orgs
)
SELECT coalesce(bool_or(NOT locked), false) AS busy,
       set_config('smartqueue.locked_orgs', coalesce(string_agg(org_id::text, ',') FILTER (WHERE locked), ''), true),
       {{limited_planning}}
FROM tried
