-- What the status line says: since when the oldest waiting job of an organisation waits, and its recent failures.
SELECT
    -- a running job's row says queued too: its lease tells; there are no more of those than slots
    (SELECT job.queued_at
     FROM jobs_job AS job
     WHERE job.org_id = %(org_id)s AND job.status = 'queued'
       AND NOT EXISTS (SELECT FROM jobs_lease AS lease WHERE lease.job_id = job.id)
     ORDER BY job.queued_at LIMIT 1) AS waiting_since,
    -- read no further than a bound: beyond it the exact number changes nothing. (clock_timestamp() is volatile: the
    -- index could not be entered by it.)
    (SELECT count(*) FROM (
        SELECT FROM jobs_job
        WHERE org_id = %(org_id)s AND status = 'failed' AND finished_at > statement_timestamp() - interval '1 hour'
        LIMIT %(bound)s) AS dead) AS dead_last_hour,
    (SELECT count(*) FROM jobs_queue WHERE org_id = %(org_id)s AND paused_at IS NOT NULL) AS paused_queues,
    clock_timestamp() AS now
