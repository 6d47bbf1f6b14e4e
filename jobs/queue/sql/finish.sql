-- End attempts that still hold their lease. An attempt that lost it matches nothing and is not in the answer.
-- Each lease is looked up by its key, and what is said of it by its token: there is no join that could be planned as each
-- with each. The leases are counted as none where vacuum saw them last in a quiet hour.
WITH gone AS (
    DELETE FROM jobs_lease AS lease
    WHERE lease.job_id = ANY (%(job_ids)s::uuid[])
      AND lease.attempt = (%(ended)s::jsonb -> lease.token::text ->> 'attempt')::int
    RETURNING lease.*, %(ended)s::jsonb -> lease.token::text AS told
), freed AS (
    SELECT gone.*, coalesce(told ->> 'outcome', 'done') AS outcome, told -> 'result' AS result,
           coalesce(told ->> 'error_type', '') AS error_type, coalesce(told ->> 'error', '') AS error,
           coalesce((told ->> 'retry_seconds')::float8, 0) AS retry_seconds,
           coalesce((told ->> 'permanent')::boolean, false) AS permanent
    FROM gone
), {{settle}}
