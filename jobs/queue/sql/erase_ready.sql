-- Nothing of an organisation that is erased waits any more: a bounded batch.
DELETE FROM jobs_ready
WHERE job_id = ANY (ARRAY(
    SELECT job_id FROM jobs_ready WHERE org_id = %(org_id)s ORDER BY queued_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
))
RETURNING job_id
