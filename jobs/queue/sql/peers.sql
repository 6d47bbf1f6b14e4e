-- The workers that hear of new work where this one does, in one order for all of them.
SELECT id FROM jobs_workerprocess
WHERE kind = 'worker' AND status = 'online' AND org_id IS NULL
  AND beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)
  AND (queues ?| %(queues)s::text[] OR queues ? '*' OR '*' = ANY (%(queues)s::text[]))
ORDER BY id
