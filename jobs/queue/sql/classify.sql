-- Write what was read out of texts of an organisation; who set something himself keeps it. Whatever is locked now is
-- passed, and is due again in a moment.
WITH told AS MATERIALIZED (
    SELECT job_id, category, classification
    FROM json_to_recordset(%(told)s::json) AS told (job_id uuid, category text, classification jsonb)
), unread AS MATERIALIZED (
    SELECT job_id, category FROM jobs_toclassify
    WHERE job_id = ANY (ARRAY(SELECT job_id FROM told)) AND org_id = %(org_id)s
    ORDER BY job_id
    FOR UPDATE SKIP LOCKED
), free AS MATERIALIZED (
    SELECT id FROM jobs_job
    WHERE id = ANY (ARRAY(SELECT job_id FROM unread)) AND org_id = %(org_id)s
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), done AS (
    DELETE FROM jobs_toclassify WHERE job_id = ANY (ARRAY(SELECT id FROM free))
), later AS (
    UPDATE jobs_toclassify SET due_at = clock_timestamp() + interval '1 second'
    WHERE job_id = ANY (ARRAY(SELECT job_id FROM unread EXCEPT SELECT id FROM free))
)
UPDATE jobs_job AS job
SET classification = told.classification,
    category = CASE WHEN unread.category THEN told.category ELSE job.category END
FROM told
JOIN unread USING (job_id)
WHERE job.id = told.job_id AND job.id = ANY (ARRAY(SELECT id FROM free))
RETURNING job.id AS job_id
