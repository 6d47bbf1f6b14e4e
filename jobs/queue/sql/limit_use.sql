-- How far the limits of an organisation are used: what runs, of all keys together; and the tokens left, where there is
-- one bucket.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), leases AS MATERIALIZED (
    SELECT org_id, queue, type, coalesce(limit_key, '') AS limit_key, count(*) AS jobs
    FROM jobs_lease
    WHERE org_id = %(org_id)s
    GROUP BY 1, 2, 3, 4
), running AS MATERIALIZED (
    SELECT limited.id AS limit_id, sum(jobs)::int AS jobs
    FROM leases AS job
    JOIN jobs_limit AS limited ON {{applies}}
    GROUP BY 1
)
SELECT limited.id, coalesce(running.jobs, 0) AS running,
       CASE WHEN limited.scope <> 'key' OR limited.name <> '*' THEN {{tokens}} END AS tokens
FROM jobs_limit AS limited
CROSS JOIN moment
LEFT JOIN running ON running.limit_id = limited.id
LEFT JOIN jobs_limitbucket AS bucket
    ON bucket.limit_id = limited.id AND bucket.key = CASE WHEN limited.scope = 'key' THEN limited.name ELSE '' END
WHERE limited.id = ANY (%(limit_ids)s::bigint[])
