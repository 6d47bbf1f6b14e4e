-- Attempts that ended in each queue of an organisation, by the minute, oldest first, for queues in which any did.
WITH slots AS (
    SELECT date_trunc('minute', statement_timestamp(), 'UTC') - make_interval(mins => back) AS at
    FROM generate_series(0, %(minutes)s - 1) AS back
), found AS MATERIALIZED (
    SELECT queue, at, sum(done + error + timeout + crashed + lost)::bigint AS ended
    FROM jobs_rollup
    WHERE org_id = %(org_id)s AND seconds = 60 AND type <> '' AND queue <> '' AND at >= (SELECT min(at) FROM slots)
    GROUP BY queue, at
)
SELECT queues.queue, array_agg(coalesce(found.ended, 0) ORDER BY slots.at) AS ended
FROM (SELECT DISTINCT queue FROM found) AS queues
CROSS JOIN slots
LEFT JOIN found ON found.queue = queues.queue AND found.at = slots.at
GROUP BY queues.queue
