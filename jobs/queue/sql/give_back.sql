-- Give back leases that this worker does not know of: of a claim whose answer was lost with its connection. What has
-- run out is rescue.sql's, which counts it.
WITH unknown AS MATERIALIZED (
    SELECT job_id FROM jobs_lease
    WHERE worker_id = %(worker_id)s AND token <> ALL (%(known)s::uuid[]) AND expires_at > clock_timestamp()
    ORDER BY job_id
    FOR UPDATE
), freed AS (
    DELETE FROM jobs_lease AS lease WHERE lease.job_id = ANY (ARRAY(SELECT job_id FROM unknown))
    RETURNING lease.*, 'released' AS outcome, NULL::jsonb AS result, '' AS error_type,
              'The answer to its claim was lost; it did not begin.' AS error,
              0::float8 AS retry_seconds, false AS permanent
), {{settle}}
