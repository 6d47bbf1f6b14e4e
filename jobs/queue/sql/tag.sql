-- Give jobs a tag, or take it off them: those that have it already, or have none, or have as many as there may be, are left.
WITH chosen AS MATERIALIZED (
    SELECT id, tags FROM jobs_job
    WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s::bigint
      AND CASE WHEN %(adds)s THEN NOT tags @> ARRAY[%(tag)s::varchar] AND cardinality(tags) < %(most)s
               ELSE tags @> ARRAY[%(tag)s::varchar] END
    ORDER BY id
    FOR UPDATE
)
UPDATE jobs_job AS job
SET tags = CASE WHEN %(adds)s THEN array_append(chosen.tags, %(tag)s::varchar)
                ELSE array_remove(chosen.tags, %(tag)s::varchar) END
FROM chosen
WHERE job.id = chosen.id AND job.id = ANY (ARRAY(SELECT id FROM chosen))
RETURNING job.id AS job_id
