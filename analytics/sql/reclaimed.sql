-- What was taken back of an organisation from workers that were lost, in the last day: how many attempts, the last one,
-- and how many ended with it.
WITH lost AS MATERIALIZED (
    SELECT outcome, ended_at FROM jobs_attempt
    WHERE org_id = %(org_id)s::bigint AND ended_at > statement_timestamp() - interval '1 day'
    ORDER BY ended_at DESC
    LIMIT %(bound)s
), seen AS (
    SELECT ended_at, max(ended_at) OVER () AS last_at FROM lost WHERE outcome = 'lost'
)
SELECT count(*)::int AS jobs, max(last_at) AS last_at,
       count(*) FILTER (WHERE ended_at > last_at - interval '1 second')::int AS last_jobs
FROM seen
