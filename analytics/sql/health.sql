-- What the status line says: since when the oldest waiting job of an organisation waits, and its recent failures.
SELECT
    (SELECT min(queued_at) FROM jobs_ready WHERE org_id = %(org_id)s) AS waiting_since,
    -- read no further than a bound: beyond it the exact number changes nothing. (clock_timestamp() is volatile: the
    -- index could not be entered by it.)
    (SELECT count(*) FROM (
        SELECT FROM jobs_job
        WHERE org_id = %(org_id)s AND failed_at > statement_timestamp() - interval '1 hour'
        LIMIT %(bound)s) AS dead) AS dead_last_hour,
    (SELECT count(*) FROM jobs_queue WHERE org_id = %(org_id)s AND paused_at IS NOT NULL) AS paused_queues,
    clock_timestamp() AS now
