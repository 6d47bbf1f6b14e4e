-- An organisation's sums over the last hours: of all of it, by queue, by type or by kind (type and name), the busiest
-- first. Whole days are read as days, and hours as hours: only what is left at the old end as minutes, while there are.
WITH edge AS (
    SELECT statement_timestamp() - make_interval(hours => %(hours)s) AS since
), whole AS (
    SELECT CASE WHEN since < statement_timestamp() - make_interval(days => %(minute_days)s)
                THEN date_trunc('hour', since, 'UTC') ELSE date_trunc('minute', since, 'UTC') END AS since,
           date_trunc('hour', since, 'UTC') + CASE
               WHEN since < statement_timestamp() - make_interval(days => %(minute_days)s) THEN interval '0'
               ELSE interval '1 hour' END AS hour,
           date_trunc('day', since, 'UTC') + interval '1 day' AS day
    FROM edge
), rung AS MATERIALIZED (
    SELECT rung.* FROM whole CROSS JOIN LATERAL (VALUES
        (60, since, hour), (3600, hour, day), (86400, day, 'infinity')) AS rung (seconds, since, until)
), found AS MATERIALIZED (
    SELECT found.* FROM rung CROSS JOIN LATERAL (
        SELECT * FROM jobs_rollup
        WHERE %(by)s = 'all' AND org_id = %(org_id)s AND seconds = rung.seconds AND at >= rung.since AND at < rung.until
          AND queue = '' AND type = ''
        UNION ALL
        SELECT * FROM jobs_rollup
        WHERE %(by)s <> 'all' AND org_id = %(org_id)s AND seconds = rung.seconds AND at >= rung.since
          AND at < rung.until AND type <> '' AND (%(queue)s = '' OR queue = %(queue)s)
          AND (%(type)s = '' OR type = %(type)s)
    ) AS found
), named AS (
    SELECT found.*, CASE WHEN %(by)s = 'queue' THEN queue ELSE '' END AS of_queue,
           CASE WHEN %(by)s IN ('type', 'kind') THEN type ELSE '' END AS of_type,
           CASE WHEN %(by)s = 'kind' THEN name ELSE '' END AS of_name
    FROM found
), summed AS (
    SELECT of_queue, of_type, of_name, min(at) AS since, {{rollup_sums}}
    FROM named
    GROUP BY of_queue, of_type, of_name
), filled AS (
    SELECT of_queue, of_type, of_name, array_agg(bin ORDER BY bin) AS bins, array_agg(jobs ORDER BY bin) AS counts
    FROM (
        SELECT of_queue, of_type, of_name, bin, sum(jobs)::bigint AS jobs
        FROM named, unnest(bins, counts) AS one (bin, jobs)
        GROUP BY of_queue, of_type, of_name, bin
    ) AS added
    GROUP BY of_queue, of_type, of_name
)
SELECT of_queue AS queue, of_type AS type, of_name AS name, since, done, failed, cancelled, retried, dead, created,
       waited, wait_ms, run_ms, predicted_ms, judged, log2_error, relative_error, ranged, in_range, bins, counts
FROM summed LEFT JOIN filled USING (of_queue, of_type, of_name)
ORDER BY done + failed DESC, 1, 2, 3
LIMIT %(rows)s
