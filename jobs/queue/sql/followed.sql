-- What a follower of moves has to look at next: the jobs of its next %(batch)s rows that are final.
WITH follower AS (
    SELECT done_id, final_id, final_at FROM jobs_follower WHERE name = 'jobs'
), next AS MATERIALIZED (
    SELECT id, job_id, at FROM jobs_transition
    WHERE id > (SELECT done_id FROM follower) AND id <= (SELECT final_id FROM follower)
    ORDER BY id
    LIMIT %(batch)s
)
SELECT (SELECT count(*) FROM next) AS rows,
       coalesce((SELECT array_agg(DISTINCT job_id) FROM next), '{}') AS job_ids,
       CASE WHEN (SELECT count(*) FROM next) = %(batch)s THEN (SELECT max(id) FROM next)
            ELSE (SELECT final_id FROM follower) END AS last_id,
       CASE WHEN (SELECT count(*) FROM next) = %(batch)s THEN (SELECT max(at) FROM next)
            ELSE (SELECT final_at FROM follower) END AS last_at
