-- What the status line says: how long the oldest waiting job of an organisation waits, and its recent failures.
SELECT
    (SELECT greatest(extract(epoch FROM clock_timestamp() - job.queued_at), 0)::float8
     FROM jobs_job AS job
     WHERE job.org_id = %(org_id)s AND job.status = 'queued' AND job.queued_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM jobs_lease AS lease WHERE lease.job_id = job.id)
     ORDER BY job.queued_at LIMIT 1) AS oldest_waiting_seconds,
    -- read no further than a bound: beyond it the exact number changes nothing
    (SELECT count(*) FROM (
        SELECT FROM jobs_job
        WHERE org_id = %(org_id)s AND status = 'failed' AND finished_at > clock_timestamp() - interval '1 hour'
        LIMIT %(bound)s) AS dead) AS dead_last_hour,
    (SELECT count(*) FROM jobs_queue WHERE org_id = %(org_id)s AND paused_at IS NOT NULL) AS paused_queues
