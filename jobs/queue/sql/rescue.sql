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
    RETURNING lease.*, NULL::jsonb AS result,
              -- one that was renewed as far as it could be ran out of time
              CASE WHEN lease.expires_at >= lease.deadline_at THEN 'timeout' ELSE 'lost' END AS outcome,
              CASE WHEN lease.expires_at >= lease.deadline_at THEN 'Timeout' ELSE 'LeaseLost' END AS error_type,
              CASE WHEN lease.expires_at >= lease.deadline_at
                   THEN 'Ran longer than its timeout of '
                        || round(date_part('epoch', lease.deadline_at - lease.leased_at)) || ' s.'
                   ELSE 'Worker ' || lease.worker_name || ' stopped renewing the lease.' END AS error,
              0::float8 AS retry_seconds, false AS permanent
), {{settle}}
