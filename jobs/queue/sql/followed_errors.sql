-- The next %(batch)s attempts that are final, of them those that failed; and how far that is.
WITH follower AS (
    SELECT done_id, final_id, final_at FROM jobs_follower WHERE name = 'errors'
), next AS MATERIALIZED (
    SELECT id, org_id, job_id, type, name, outcome, error_type, error, ended_at FROM jobs_attempt
    WHERE id > (SELECT done_id FROM follower) AND id <= (SELECT final_id FROM follower)
    ORDER BY id
    LIMIT %(batch)s
)
SELECT (SELECT count(*) FROM next) AS rows,
       CASE WHEN (SELECT count(*) FROM next) = %(batch)s THEN (SELECT max(id) FROM next)
            ELSE (SELECT final_id FROM follower) END AS last_id,
       CASE WHEN (SELECT count(*) FROM next) = %(batch)s THEN (SELECT max(ended_at) FROM next)
            ELSE (SELECT final_at FROM follower) END AS last_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                     'org_id', next.org_id, 'job_id', job_id, 'type', next.type, 'name', next.name, 'queue', job.queue,
                     'error_type', next.error_type, 'error', next.error, 'at', ended_at) ORDER BY next.id)
                 FROM next JOIN jobs_job AS job ON job.id = next.job_id
                 WHERE next.outcome IN ('error', 'timeout', 'crashed', 'lost')), '[]') AS failed
