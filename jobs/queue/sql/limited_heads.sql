-- The limited jobs of a queue that have room now (of_org), for claim_limited.sql and claim_external_limited.sql; and the
-- runs in which they wait, seen from %(after_org)s and %(after_key)s to %(last_org)s.
moment AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), orgs AS MATERIALIZED (
    SELECT locked.id AS org_id
    FROM unnest(string_to_array(nullif(current_setting('smartqueue.locked_orgs'), ''), ',')::bigint[]) AS locked (id)
    WHERE NOT EXISTS (
        SELECT FROM jobs_queue AS paused
        WHERE paused.org_id = locked.id AND paused.name = %(queue)s AND paused.paused_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM orgs_org AS org WHERE org.id = locked.id AND {{stopped}})
), leases AS MATERIALIZED (
    SELECT org_id, queue, type, coalesce(limit_key, '') AS limit_key, count(*) AS jobs
    FROM jobs_lease
    WHERE org_id = ANY (ARRAY(SELECT org_id FROM orgs))
    GROUP BY 1, 2, 3, 4
), running AS MATERIALIZED (
    SELECT limited.id AS limit_id, sum(jobs) AS jobs
    FROM leases AS job
    JOIN jobs_limit AS limited ON limited.scope <> 'key' AND {{applies}}
    GROUP BY 1
), shared AS MATERIALIZED (
    -- Room of the limits that many runs share. Here and below no limit is as much room as there are slots.
    SELECT limited.org_id, limited.scope, limited.name, {{room}}
    FROM orgs
    JOIN jobs_limit AS limited ON limited.org_id = orgs.org_id AND limited.scope <> 'key'
    CROSS JOIN moment
    LEFT JOIN running ON running.limit_id = limited.id
    LEFT JOIN jobs_limitbucket AS bucket ON bucket.limit_id = limited.id
), groups AS MATERIALIZED (
    SELECT served.type, orgs.org_id,
           coalesce(least(org.room, queue.room), %(slots)s) AS org_room, coalesce(type.room, %(slots)s) AS type_room,
           greatest(org.wait_seconds, queue.wait_seconds, type.wait_seconds) AS wait_seconds
    FROM orgs
    CROSS JOIN unnest(%(types)s::text[]) AS served (type)
    LEFT JOIN shared AS org ON org.org_id = orgs.org_id AND org.scope = 'org'
    LEFT JOIN shared AS queue ON queue.org_id = orgs.org_id AND queue.scope = 'queue' AND queue.name = %(queue)s
    LEFT JOIN shared AS type ON type.org_id = orgs.org_id AND type.scope = 'type' AND type.name = served.type
), runs AS (
    SELECT served.type, head.org_id, head.limit_key, head.rank, 1 AS step
    FROM unnest(%(types)s::text[]) AS served (type)
    CROSS JOIN LATERAL (
        SELECT ready.org_id, ready.limit_key, ready.rank
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = served.type AND NOT ready.held AND ready.limit_key IS NOT NULL
          AND (ready.org_id, ready.limit_key) > (%(after_org)s::bigint, %(after_key)s::text)
          AND ready.org_id <= %(last_org)s::bigint
        ORDER BY ready.org_id, ready.limit_key, ready.rank
        LIMIT 1
    ) AS head
    UNION ALL
    SELECT runs.type, further.org_id, further.limit_key, further.rank, step + 1
    FROM runs
    CROSS JOIN LATERAL (
        -- on to the next key, unless the organisation can have none of this type now; else to the next organisation
        (SELECT ready.org_id, ready.limit_key, ready.rank
         FROM jobs_ready AS ready
         WHERE (runs.type, runs.org_id) IN (SELECT type, org_id FROM groups WHERE least(org_room, type_room) > 0)
           AND ready.queue = %(queue)s AND ready.type = runs.type AND NOT ready.held AND ready.limit_key IS NOT NULL
           AND ready.org_id = runs.org_id AND ready.limit_key > runs.limit_key
         ORDER BY ready.limit_key, ready.rank
         LIMIT 1)
        UNION ALL
        (SELECT ready.org_id, ready.limit_key, ready.rank
         FROM jobs_ready AS ready
         WHERE ready.queue = %(queue)s AND ready.type = runs.type AND NOT ready.held AND ready.limit_key IS NOT NULL
           AND ready.org_id > runs.org_id AND ready.org_id <= %(last_org)s::bigint
         ORDER BY ready.org_id, ready.limit_key, ready.rank
         LIMIT 1)
        LIMIT 1
    ) AS further
    WHERE step < %(runs)s
), counted AS (
    -- With what runs of the key already: by one sort, where a join of the two may be planned as a loop in a loop.
    SELECT type, org_id, limit_key, rank, sum(jobs) OVER (PARTITION BY org_id, limit_key) AS jobs
    FROM (
        SELECT type, org_id, limit_key, rank, 0 AS jobs FROM runs
        UNION ALL
        SELECT NULL, org_id, limit_key, NULL, jobs FROM leases
    ) AS seen
), roomy AS MATERIALIZED (
    SELECT running.type, running.org_id, running.limit_key, running.rank, org_room, type_room,
           coalesce(by_key.room, %(slots)s) AS key_room,
           greatest(groups.wait_seconds, by_key.wait_seconds) AS wait_seconds
    FROM counted AS running
    JOIN groups ON groups.type = running.type AND groups.org_id = running.org_id
    CROSS JOIN moment
    LEFT JOIN LATERAL (
        SELECT {{room}}
        FROM (
            SELECT * FROM jobs_limit
            WHERE org_id = running.org_id AND scope = 'key'
              AND running.limit_key <> '' AND name IN ('*', running.limit_key)
            -- a key's own limit before that of each key
            ORDER BY name = '*'
            LIMIT 1
        ) AS limited
        LEFT JOIN LATERAL (
            SELECT tokens, refilled_at FROM jobs_limitbucket
            WHERE limit_id = limited.id AND key = running.limit_key
            LIMIT 1
        ) AS bucket ON true
    ) AS by_key ON true
), chosen AS MATERIALIZED (
    SELECT * FROM roomy WHERE least(org_room, type_room, key_room) > 0 ORDER BY rank LIMIT %(slots)s
), heads AS MATERIALIZED (
    SELECT chosen.type, chosen.org_id, chosen.limit_key, org_room, type_room, key_room, head.job_id, head.rank
    FROM chosen
    CROSS JOIN LATERAL (
        SELECT ready.job_id, ready.rank
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = chosen.type AND ready.org_id = chosen.org_id
          AND ready.limit_key = chosen.limit_key AND NOT ready.held AND ready.limit_key IS NOT NULL
        ORDER BY ready.rank, ready.job_id
        LIMIT least(%(slots)s, org_room, type_room, key_room)
    ) AS head
), of_key AS (
    -- Runs share limits: in order of rank, each limit gives its room away once, the narrowest first.
    SELECT *, row_number() OVER (PARTITION BY org_id, limit_key ORDER BY rank, job_id) AS nth FROM heads
), of_type AS (
    SELECT *, row_number() OVER (PARTITION BY org_id, type ORDER BY rank, job_id) AS nth_of_type
    FROM of_key WHERE nth <= key_room
), of_org AS (
    SELECT *, row_number() OVER (PARTITION BY org_id ORDER BY rank, job_id) AS nth_of_org
    FROM of_type WHERE nth_of_type <= type_room
)
