-- The profile of a queue's backlog, as the leader last wrote it down, who serves the queue now, and the time.
SELECT date_part('epoch', clock_timestamp()),
       (SELECT coalesce(sum(slots), 0)::int FROM jobs_workerprocess
        WHERE kind = 'worker' AND status = 'online' AND org_id IS NULL AND (queues ? %(queue)s::text OR queues ? '*')),
       date_part('epoch', clock_timestamp() - measured_at), running, running_ms, head_types, heads, head_orgs, others, served, more, ranks, waiting_ms, offsets,
       arriving_ms, early_ratio, late_ratio
FROM (VALUES (true)) AS one (row)
LEFT JOIN jobs_backlog ON queue = %(queue)s::text
