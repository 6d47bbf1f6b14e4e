-- Take back leases that ran out: their attempts count as lost, and poison jobs fail after their last.
WITH expired AS MATERIALIZED (
    SELECT job_id, token
    FROM jobs_lease
    WHERE expires_at < clock_timestamp()
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), freed AS (
    DELETE FROM jobs_lease AS lease USING expired
    WHERE lease.job_id = expired.job_id AND lease.token = expired.token
    RETURNING lease.*, 'lost' AS outcome, NULL::jsonb AS result, 'LeaseLost' AS error_type,
              'Worker ' || lease.worker_name || ' stopped renewing the lease.' AS error,
              0::float8 AS retry_seconds, false AS permanent
), {{settle}}
