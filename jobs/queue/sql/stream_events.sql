-- The next %(batch)s moves after one and up to one below which none can come any more, with what their events say. All of
-- it is as it was then: the move and the attempt that it ended are written once, and of the job only what never changes
-- is told. A job that is gone has no type here.
SELECT move.id AS sequence, move.job_id, move.from_status, move.to_status, move.attempt, move.queue, org.slug AS org,
       job.type, job.name, job.title, job.batch_id, job.correlation_id,
       attempt.outcome, attempt.error_type, left(attempt.error, 500) AS error, attempt.runtime_ms,
       to_char(move.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS happened_at,
       to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
       to_char(attempt.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started_at,
       to_char(attempt.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS finished_at
FROM (
    SELECT * FROM jobs_transition WHERE id > %(after)s AND id <= %(upto)s ORDER BY id LIMIT %(batch)s
) AS move
LEFT JOIN jobs_job AS job ON job.id = move.job_id
LEFT JOIN orgs_org AS org ON org.id = move.org_id
LEFT JOIN jobs_attempt AS attempt
    ON move.from_status = 'running' AND attempt.job_id = move.job_id AND attempt.number = move.attempt
ORDER BY move.id
