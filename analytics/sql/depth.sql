-- The most jobs that waited, ran and were scheduled at one moment of each interval, over an organisation's queues, or in one.
-- NULL where nothing was written down: `empty_after` then says whether the round before had found all queues empty,
-- for of empty queues the leader writes nothing more.
WITH span AS (
    SELECT make_interval(secs => %(stride_seconds)s) AS stride,
           date_bin(make_interval(secs => %(stride_seconds)s), clock_timestamp(), '2001-01-01 00:00+00') AS newest
), slots AS (
    SELECT newest - stride * back AS at FROM span, generate_series(0, %(buckets)s - 1) AS back
), rounds AS (
    -- a round looks at all queues at one moment
    SELECT at, sum(queued) AS queued, sum(running) AS running, sum(scheduled) AS scheduled
    FROM jobs_depthsample
    WHERE org_id = %(org_id)s AND at >= (SELECT min(at) FROM slots) AND (%(queue)s = '' OR queue = %(queue)s)
    GROUP BY at
), binned AS (
    SELECT date_bin((SELECT stride FROM span), at, '2001-01-01 00:00+00') AS at,
           max(queued)::bigint AS queued, max(running)::bigint AS running, max(scheduled)::bigint AS scheduled,
           (array_agg(queued + running + scheduled ORDER BY at DESC))[1] = 0 AS empty_after
    FROM rounds GROUP BY 1
), before AS (
    SELECT queued + running + scheduled = 0 AS empty_after
    FROM jobs_depthsample
    -- as in steps.sql: by the index of the organisation, never by that of all times
    WHERE org_id BETWEEN %(org_id)s AND %(org_id)s AND at < (SELECT min(at) FROM slots)
      AND (%(queue)s = '' OR queue = %(queue)s)
    ORDER BY org_id DESC, at DESC LIMIT 1
)
SELECT slots.at, binned.queued, binned.running, binned.scheduled,
       coalesce(binned.empty_after, slots.at = (SELECT min(at) FROM slots) AND (SELECT empty_after FROM before))
           AS empty_after
FROM slots LEFT JOIN binned USING (at)
ORDER BY slots.at
