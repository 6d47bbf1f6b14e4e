-- An organisation's sums by interval, oldest first, empty intervals included: of all of it, or (`narrowed`) of a queue, a
-- type, a name.
WITH span AS (
    SELECT make_interval(secs => %(stride_seconds)s) AS stride,
           date_bin(make_interval(secs => %(stride_seconds)s), clock_timestamp(), '2001-01-01 00:00+00') AS newest
), slots AS (
    SELECT newest - stride * back AS at FROM span, generate_series(0, %(buckets)s - 1) AS back
), found AS MATERIALIZED (
    SELECT * FROM jobs_rollup
    WHERE NOT %(narrowed)s AND org_id = %(org_id)s AND seconds = %(seconds)s AND at >= (SELECT min(at) FROM slots)
      AND queue = '' AND type = ''
    UNION ALL
    SELECT * FROM jobs_rollup
    WHERE %(narrowed)s AND org_id = %(org_id)s AND seconds = %(seconds)s AND at >= (SELECT min(at) FROM slots)
      AND type <> '' AND (%(queue)s = '' OR queue = %(queue)s) AND (%(type)s = '' OR type = %(type)s)
      AND (%(kind)s = '' OR name = %(kind)s)
), summed AS (
    SELECT date_bin((SELECT stride FROM span), at, '2001-01-01 00:00+00') AS at, {{rollup_sums}}
    FROM found
    GROUP BY 1
), filled AS (
    SELECT at, array_agg(bin ORDER BY bin) AS bins, array_agg(jobs ORDER BY bin) AS counts
    FROM (
        SELECT date_bin((SELECT stride FROM span), at, '2001-01-01 00:00+00') AS at, bin, sum(jobs)::bigint AS jobs
        FROM found, unnest(bins, counts) AS one (bin, jobs)
        GROUP BY 1, 2
    ) AS added
    GROUP BY at
)
SELECT slots.at, done, failed, cancelled, retried, dead, created, waited, wait_ms, run_ms, predicted_ms, judged, log2_error,
       relative_error, ranged, in_range, bins, counts
FROM slots
LEFT JOIN summed ON summed.at = slots.at
LEFT JOIN filled ON filled.at = slots.at
ORDER BY slots.at
