-- When the jobs asked for are due.
read AS MATERIALIZED (
    -- one reading of the clock a row: rows of a batch keep their order, and a delay of 0 is due at once
    SELECT asked.*, clock_timestamp() AS moment FROM asked
), timed AS (
    SELECT read.*, due_at, coalesce(waiting_on > 0 OR due_at > moment, false) AS later
    FROM read CROSS JOIN LATERAL (
        SELECT coalesce(run_at, moment + make_interval(secs => delay_seconds)) AS due_at) AS time
)
