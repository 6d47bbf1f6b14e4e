-- What stands between a rank and its start by an organisation's own workers: predicted work waiting before it, work left
-- in running jobs, and their slots. The backlog is read no further than a bound.
SELECT
    (SELECT coalesce(sum(predicted_ms), 0) FROM (
        SELECT predicted_ms FROM jobs_ready
        WHERE queue = %(queue)s AND type = ANY(%(types)s) AND NOT held AND limit_key IS NULL
          AND rank < %(rank)s AND org_id = %(org_id)s
        LIMIT %(bound)s) AS ahead) AS waiting_ms,
    (SELECT coalesce(sum(greatest(predicted_ms - extract(epoch FROM clock_timestamp() - leased_at) * 1000, 0)), 0)
     FROM jobs_lease WHERE queue = %(queue)s AND type = ANY(%(types)s) AND org_id = %(org_id)s) AS running_ms,
    (SELECT count(*) FROM jobs_lease
     WHERE queue = %(queue)s AND type = ANY(%(types)s) AND org_id = %(org_id)s) AS running,
    (SELECT coalesce(sum(slots), 0) FROM jobs_workerprocess
     WHERE kind = 'worker' AND status = 'online' AND org_id = %(org_id)s
       AND (queues ? %(queue)s OR queues ? '*')) AS slots
