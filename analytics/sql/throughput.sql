-- Ended attempts of an organisation by time and outcome, newest first up to a bound, empty intervals included.
WITH span AS (
    SELECT make_interval(secs => %(stride_seconds)s) AS stride,
           date_bin(make_interval(secs => %(stride_seconds)s), clock_timestamp(), '2001-01-01 00:00+00') AS newest
), slots AS (
    SELECT newest - stride * back AS at FROM span, generate_series(0, %(buckets)s - 1) AS back
), read AS (
    SELECT ended_at, outcome FROM jobs_attempt
    WHERE org_id = %(org_id)s AND ended_at >= (SELECT min(at) FROM slots)
    ORDER BY ended_at DESC
    LIMIT %(bound)s
), binned AS (
    SELECT date_bin((SELECT stride FROM span), ended_at, '2001-01-01 00:00+00') AS at, count(*) AS seen,
           count(*) FILTER (WHERE outcome = 'done') AS done,
           count(*) FILTER (WHERE outcome IN ('error', 'timeout', 'crashed', 'lost')) AS failed
    FROM read GROUP BY 1
)
SELECT slots.at, coalesce(binned.done, 0) AS done, coalesce(binned.failed, 0) AS failed,
       (SELECT coalesce(sum(seen), 0) FROM binned) < %(bound)s AS complete
FROM slots LEFT JOIN binned USING (at)
ORDER BY slots.at
