-- Keep the lines and the progress of running attempts, while they hold their leases.
WITH reported AS (
    SELECT *
    FROM jsonb_to_recordset(%(progress)s::jsonb) AS report (token uuid, progress float8, progress_message text)
), progressed AS (
    UPDATE jobs_lease AS lease
    SET progress = reported.progress, progress_message = reported.progress_message
    FROM reported
    WHERE lease.token = reported.token
), written AS (
    SELECT *
    FROM jsonb_to_recordset(%(lines)s::jsonb) AS line (
        token uuid, sequence int, stream text, text text, age_seconds float8
    )
)
INSERT INTO jobs_logline (job_id, attempt, sequence, stream, text, at)
SELECT lease.job_id, lease.attempt, written.sequence, written.stream, written.text,
       clock_timestamp() - make_interval(secs => written.age_seconds)
FROM written
JOIN jobs_lease AS lease ON lease.token = written.token
ON CONFLICT (job_id, attempt, sequence) DO NOTHING
