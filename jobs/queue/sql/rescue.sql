-- Take back leases that ran out: their attempts count as lost, and poison jobs fail after their last.
WITH expired AS MATERIALIZED (
    SELECT job_id
    FROM jobs_lease
    WHERE expires_at < clock_timestamp()
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), freed AS (
    -- by their keys, and not joined: see finish.sql; locked, they are the same leases still
    DELETE FROM jobs_lease AS lease WHERE lease.job_id = ANY (ARRAY(SELECT job_id FROM expired))
    RETURNING lease.*, 'lost' AS outcome, NULL::jsonb AS result, 'LeaseLost' AS error_type,
              'Worker ' || lease.worker_name || ' stopped renewing the lease.' AS error,
              0::float8 AS retry_seconds, false AS permanent
), {{settle}}
