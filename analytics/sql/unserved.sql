-- Among the jobs of an organisation that have waited longest: those in queues that are not paused and that no living
-- worker takes such jobs from, by queue and type.
WITH waiting AS (
    SELECT DISTINCT queue, type FROM (
        SELECT queue, type FROM jobs_ready
        WHERE org_id = %(org_id)s
        ORDER BY queued_at
        LIMIT %(bound)s) AS oldest
)
SELECT queue, array_agg(type ORDER BY type) AS types FROM waiting
WHERE NOT EXISTS (
        SELECT FROM jobs_workerprocess AS worker
        WHERE worker.kind = 'worker' AND worker.status = 'online'
          AND (worker.org_id IS NULL OR worker.org_id = %(org_id)s)
          AND worker.beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)
          AND (worker.queues ? waiting.queue OR worker.queues ? '*') AND worker.types ? waiting.type)
  AND NOT EXISTS (
        SELECT FROM jobs_queue AS paused
        WHERE paused.org_id = %(org_id)s AND paused.name = waiting.queue AND paused.paused_at IS NOT NULL)
GROUP BY queue
ORDER BY queue
