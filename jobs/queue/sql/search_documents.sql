-- Jobs as their words are made from.
SELECT id AS job_id, org_id, type, queue, name, title, left(description, %(characters)s) AS description, payload, result,
       category, urgency, tags, status, life, attempt AS attempts, runtime_ms, finished_at, created_by_id AS creator_id,
       correlation_id, batch_id, error_type, right(error, 8000) AS error,
       ARRAY(SELECT DISTINCT worker_name FROM jobs_attempt WHERE job_id = job.id LIMIT 20) AS workers
FROM jobs_job AS job
WHERE id = ANY (%(job_ids)s::uuid[])
