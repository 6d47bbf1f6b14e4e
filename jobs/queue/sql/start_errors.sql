-- How far an organisation's jobs started from when they were expected to, of a bounded number that ended of late.
WITH newest AS MATERIALIZED (
    SELECT job_id, number, started_at FROM jobs_attempt
    WHERE org_id = %(org_id)s
    ORDER BY ended_at DESC
    LIMIT %(attempts)s
), compared AS (
    SELECT abs(date_part('epoch', newest.started_at - job.expected_start_at)) AS seconds,
           newest.started_at BETWEEN job.expected_start_low_at - interval '1 second'
                                 AND job.expected_start_high_at + interval '1 second' AS within
    FROM newest
    JOIN jobs_job AS job ON job.id = newest.job_id
    WHERE newest.number = 1 AND job.expected_start_at IS NOT NULL
)
SELECT count(*) AS jobs, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_error_seconds,
       avg(within::int)::float8 AS within_range
FROM compared
