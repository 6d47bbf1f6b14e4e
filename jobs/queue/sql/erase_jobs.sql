-- The next jobs of an organisation that is erased, whatever they are at, with all that hangs on them: in order of their ids,
-- so that what is gone already is not read past.
WITH old AS MATERIALIZED (
    SELECT id, org_id, queue,
           CASE WHEN EXISTS (SELECT FROM jobs_lease WHERE job_id = jobs_job.id) THEN 'running' ELSE status END AS status
    FROM jobs_job WHERE org_id = %(org_id)s AND id > %(after)s
    ORDER BY id
    LIMIT %(batch)s
    -- what a worker ends this moment is passed, and found again
    FOR UPDATE SKIP LOCKED
), {{gone}}, waiting AS (
    DELETE FROM jobs_ready WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), running AS (
    DELETE FROM jobs_lease WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), children AS (
    DELETE FROM jobs_dependency
    WHERE parent_id = ANY ((SELECT old FROM ids)::uuid[]) AND child_id <> ALL ((SELECT old FROM ids)::uuid[])
)
SELECT (SELECT count(*) FROM gone) AS jobs, (SELECT id FROM old ORDER BY id DESC LIMIT 1) AS last,
       coalesce((SELECT array_agg(file) FROM files), '{}') AS files
