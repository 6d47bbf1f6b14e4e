-- The most jobs that waited, ran and were scheduled in each interval, over the queues of an organisation.
WITH span AS (
    SELECT make_interval(secs => %(stride_seconds)s) AS stride,
           date_bin(make_interval(secs => %(stride_seconds)s), clock_timestamp(), '2001-01-01 00:00+00') AS newest
), peaks AS (
    SELECT date_bin(span.stride, sample.at, '2001-01-01 00:00+00') AS at, sample.queue,
           max(sample.queued) AS queued, max(sample.running) AS running, max(sample.scheduled) AS scheduled
    FROM span JOIN jobs_depthsample AS sample
      ON sample.org_id = %(org_id)s AND sample.at >= span.newest - span.stride * (%(buckets)s - 1)
    GROUP BY 1, 2
)
SELECT at, sum(queued)::bigint AS queued, sum(running)::bigint AS running, sum(scheduled)::bigint AS scheduled
FROM peaks GROUP BY at ORDER BY at
