-- Let new jobs wait for others, whose rows the caller has locked or just stored: each parent's end will be told.
-- One that has ended already is told of once more.
WITH asked AS MATERIALIZED (
    SELECT *
    FROM unnest(%(children)s::uuid[], %(parents)s::uuid[], %(conditions)s::text[]) AS link (child_id, parent_id, condition)
), parents AS MATERIALIZED (
    SELECT array_agg(DISTINCT parent_id) AS ids FROM asked
), tied AS (
    INSERT INTO jobs_dependency (parent_id, child_id, org_id, condition)
    SELECT parent_id, child_id, %(org_id)s::bigint, condition FROM asked
), marked AS (
    UPDATE jobs_job SET has_dependents = true
    WHERE id = ANY ((SELECT ids FROM parents)::uuid[]) AND NOT has_dependents
      AND status NOT IN ('done', 'failed', 'cancelled')
)
INSERT INTO jobs_ending (org_id, job_id, status)
SELECT org_id, id, status FROM jobs_job
WHERE id = ANY ((SELECT ids FROM parents)::uuid[]) AND status IN ('done', 'failed', 'cancelled')
