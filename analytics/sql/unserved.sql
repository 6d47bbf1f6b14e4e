-- Queues of an organisation that hold waiting jobs, are not paused, and that no living worker takes from.
WITH waiting AS (
    SELECT queue FROM (
        SELECT queue, jobs FROM jobs_statuscount WHERE org_id = %(org_id)s AND status = 'queued'
        UNION ALL
        SELECT queue, jobs FROM jobs_statusdelta WHERE org_id = %(org_id)s AND status = 'queued') AS counted
    GROUP BY queue
    HAVING sum(jobs) > 0
)
SELECT queue FROM waiting
WHERE NOT EXISTS (
        SELECT FROM jobs_workerprocess AS worker
        WHERE worker.kind = 'worker' AND worker.status = 'online'
          AND worker.beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)
          AND (worker.queues ? waiting.queue OR worker.queues ? '*'))
  AND NOT EXISTS (
        SELECT FROM jobs_queue AS paused
        WHERE paused.org_id = %(org_id)s AND paused.name = waiting.queue AND paused.paused_at IS NOT NULL)
ORDER BY queue
LIMIT %(bound)s
