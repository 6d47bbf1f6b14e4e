-- End attempts that still hold their lease. An attempt that lost it matches nothing and is not in the answer.
WITH ended AS MATERIALIZED (
    SELECT *
    FROM jsonb_to_recordset(%(ended)s::jsonb) AS attempt (
        job_id uuid, attempt int, token uuid, outcome text, result jsonb, error_type text, error text,
        retry_seconds float8, permanent boolean
    )
), held AS MATERIALIZED (
    SELECT lease.job_id FROM jobs_lease AS lease
    JOIN ended ON lease.job_id = ended.job_id AND lease.attempt = ended.attempt AND lease.token = ended.token
    -- a renewal locks in this order too
    ORDER BY lease.job_id
    FOR UPDATE OF lease
), freed AS (
    DELETE FROM jobs_lease AS lease USING ended
    WHERE lease.job_id = ANY (ARRAY(SELECT job_id FROM held))
      AND lease.job_id = ended.job_id AND lease.attempt = ended.attempt AND lease.token = ended.token
    RETURNING lease.*, ended.outcome, ended.result, ended.error_type, ended.error,
              ended.retry_seconds, ended.permanent
), {{settle}}
