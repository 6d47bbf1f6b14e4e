-- What stands between a rank and its start in a queue: predicted work waiting before it, work left in running
-- jobs, and the slots that serve the queue. The backlog is read no further than a bound. Workers of an organisation's
-- own (org_id; else null) have its jobs alone before them.
SELECT
    (SELECT coalesce(sum(predicted_ms), 0) FROM (
        SELECT predicted_ms FROM jobs_ready
        WHERE queue = %(queue)s AND type = ANY(%(types)s) AND NOT held AND limit_key IS NULL
          AND rank < %(rank)s AND (%(org_id)s::bigint IS NULL OR org_id = %(org_id)s::bigint)
        LIMIT %(bound)s) AS ahead) AS waiting_ms,
    (SELECT coalesce(sum(greatest(predicted_ms - extract(epoch FROM clock_timestamp() - leased_at) * 1000, 0)), 0)
     FROM jobs_lease WHERE queue = %(queue)s AND type = ANY(%(types)s)
       AND (%(org_id)s::bigint IS NULL OR org_id = %(org_id)s::bigint)) AS running_ms,
    (SELECT count(*) FROM jobs_lease WHERE queue = %(queue)s AND type = ANY(%(types)s)
       AND (%(org_id)s::bigint IS NULL OR org_id = %(org_id)s::bigint)) AS running,
    (SELECT coalesce(sum(slots), 0) FROM jobs_workerprocess
     WHERE kind = 'worker' AND status = 'online' AND org_id IS NOT DISTINCT FROM %(org_id)s::bigint AND (queues ? %(queue)s OR queues ? '*')) AS slots,
    extract(epoch FROM clock_timestamp())::float8 AS now
