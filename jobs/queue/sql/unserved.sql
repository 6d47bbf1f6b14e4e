-- Queues whose jobs have waited for longer than %(seconds)s with no worker online that serves them; not those that are kept back.
SELECT ready.queue, count(*)::int AS jobs,
       date_part('epoch', clock_timestamp() - min(ready.queued_at)) AS seconds
FROM (
    SELECT queue, queued_at FROM jobs_ready
    WHERE NOT held AND NOT kind_held AND queued_at < clock_timestamp() - make_interval(secs => %(seconds)s)
    LIMIT 10000
) AS ready
WHERE NOT EXISTS (
    SELECT FROM jobs_workerprocess AS worker
    WHERE worker.kind = 'worker' AND worker.status = 'online' AND (worker.queues ? ready.queue OR worker.queues ? '*')
)
GROUP BY ready.queue
ORDER BY seconds DESC
LIMIT 10
