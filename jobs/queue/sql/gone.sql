-- Jobs (`old`: id, org_id, queue, status) go with all that hangs on them, counted out. For prune.sql and erase_jobs.sql.
ids AS MATERIALIZED (
    SELECT array_agg(id) AS old FROM old
), attempts AS (
    DELETE FROM jobs_attempt WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), lines AS (
    DELETE FROM jobs_logline WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), moves AS (
    DELETE FROM jobs_transition WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), files AS (
    DELETE FROM jobs_artefact WHERE job_id = ANY ((SELECT old FROM ids)::uuid[]) RETURNING file
), unread AS (
    DELETE FROM jobs_toclassify WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), found AS (
    DELETE FROM jobs_searchentry WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), links AS (
    DELETE FROM jobs_dependency WHERE child_id = ANY ((SELECT old FROM ids)::uuid[])
), counted AS (
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, queue, status, -count(*) FROM old GROUP BY org_id, queue, status
), gone AS (
    DELETE FROM jobs_job WHERE id = ANY ((SELECT old FROM ids)::uuid[]) RETURNING id
)
