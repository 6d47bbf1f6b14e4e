-- Of each queue of an organisation that is asked for: its jobs by status, exact; since when its oldest job waits and the
-- predicted work that waits, as far as the first of all that waits of the organisation tell; what runs; who serves it; and
-- what the leader measured of all organisations together, where that is of now.
WITH counted AS MATERIALIZED (
    SELECT queue, jsonb_object_agg(status, jobs) AS by_status
    FROM (SELECT queue, status, sum(jobs)::bigint AS jobs
          FROM (SELECT queue, status, jobs FROM jobs_statuscount WHERE org_id = %(org_id)s::bigint
                UNION ALL
                SELECT queue, status, jobs FROM jobs_statusdelta WHERE org_id = %(org_id)s::bigint) AS moves
          GROUP BY queue, status) AS summed
    GROUP BY queue
), oldest AS MATERIALIZED (
    SELECT queue, queued_at, predicted_ms FROM jobs_ready
    WHERE org_id = %(org_id)s::bigint
    ORDER BY queued_at
    LIMIT %(bound)s
), own AS MATERIALIZED (
    SELECT queue, count(*)::int AS jobs_read, min(queued_at) AS waiting_since, sum(predicted_ms)::float8 AS read_ms
    FROM oldest GROUP BY queue
), busy AS MATERIALIZED (
    SELECT queue, count(*)::int AS running,
           sum(greatest(predicted_ms - date_part('epoch', clock_timestamp() - leased_at) * 1000, 0))::float8 AS running_ms
    FROM jobs_lease WHERE org_id = %(org_id)s::bigint GROUP BY queue
), takers AS MATERIALIZED (
    SELECT queues, slots FROM jobs_workerprocess
    WHERE kind = 'worker' AND status = 'online' AND (org_id IS NULL OR org_id = %(org_id)s::bigint)
    LIMIT %(most_workers)s
)
SELECT asked.name, coalesce(counted.by_status, '{}') AS by_status, coalesce(own.jobs_read, 0) AS jobs_read,
       own.waiting_since, greatest(date_part('epoch', clock_timestamp() - own.waiting_since), 0) AS oldest_seconds,
       coalesce(own.read_ms, 0) AS read_ms, coalesce(busy.running, 0) AS running, served.workers, served.slots,
       coalesce(backlog.waiting_ms[cardinality(backlog.waiting_ms)], 0) AS all_waiting_ms,
       greatest(coalesce(busy.running_ms, 0), coalesce(backlog.running_ms, 0)) AS running_ms
FROM unnest(%(queues)s::text[]) AS asked (name)
CROSS JOIN LATERAL (
    SELECT count(*)::int AS workers, coalesce(sum(slots), 0)::int AS slots FROM takers
    WHERE queues ? asked.name OR queues ? '*'
) AS served
LEFT JOIN counted ON counted.queue = asked.name
LEFT JOIN own ON own.queue = asked.name
LEFT JOIN busy ON busy.queue = asked.name
LEFT JOIN jobs_backlog AS backlog
    ON backlog.queue = asked.name AND backlog.measured_at > clock_timestamp() - make_interval(secs => %(fresh_seconds)s)
