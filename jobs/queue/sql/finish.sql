-- End attempts that still hold their lease. An attempt that lost it matches nothing and is not in the answer.
WITH ended AS (
    SELECT *
    FROM json_to_recordset(%(ended)s::json) AS attempt (
        job_id uuid, attempt int, token uuid, outcome text, result jsonb, error_type text, error text,
        retry_seconds float8, permanent boolean
    )
), freed AS (
    DELETE FROM jobs_lease AS lease USING ended
    WHERE lease.job_id = ended.job_id AND lease.attempt = ended.attempt AND lease.token = ended.token
    RETURNING lease.*, coalesce(ended.outcome, 'done') AS outcome, ended.result,
              coalesce(ended.error_type, '') AS error_type, coalesce(ended.error, '') AS error, coalesce(ended.retry_seconds, 0) AS retry_seconds,
              coalesce(ended.permanent, false) AS permanent
), {{settle}}
