-- What a claim of limited jobs takes: those of `of_org` whose turn it is among `others`. For claim_limited.sql and
-- claim_external_limited.sql.
best AS (
    SELECT job_id, rank, true AS limited FROM of_org WHERE nth_of_org <= org_room
    UNION ALL
    SELECT job_id, rank, false FROM others
    ORDER BY rank, job_id
    LIMIT %(slots)s
), picked AS MATERIALIZED (
    -- what a person is just cancelling or holding is not waited for
    SELECT job_id FROM jobs_ready
    WHERE job_id = ANY (ARRAY(SELECT job_id FROM best WHERE limited))
      AND NOT held AND limit_key IS NOT NULL
    FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM jobs_ready AS ready WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM picked))
    RETURNING ready.*
), moments AS (
    -- Tokens are spent at the time in the leases (`begun` is further down), so that these alone prove the rate.
    SELECT limited.id AS limit_id, {{counted_as}} AS key, max(leased_at) AS at, count(*) AS jobs
    FROM begun AS job
    JOIN jobs_limit AS limited ON limited.rate_count IS NOT NULL AND {{applies}}
    GROUP BY 1, 2
), spent AS (
    INSERT INTO jobs_limitbucket AS known (limit_id, key, tokens, refilled_at)
    SELECT limited.id, moment.key, {{tokens}} - moment.jobs, moment.at
    FROM moments AS moment
    JOIN jobs_limit AS limited ON limited.id = moment.limit_id
    LEFT JOIN jobs_limitbucket AS bucket ON bucket.limit_id = moment.limit_id AND bucket.key = moment.key
    ON CONFLICT (limit_id, key) DO UPDATE SET tokens = excluded.tokens, refilled_at = excluded.refilled_at
), {{leased}}
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL,
       json_build_object(
           -- where to go on when this has not come to the end of the runs
           'after', (SELECT json_build_array(org_id, limit_key) FROM runs WHERE step = %(runs)s
                     ORDER BY org_id, limit_key LIMIT 1),
           -- when the first run that lacks nothing else has a token
           'wait_seconds', (SELECT nullif(min(wait_seconds), 'infinity') FROM roomy)
       )::text,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
