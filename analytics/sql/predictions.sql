-- The last attempts of an organisation that ran to their end: what was predicted, and what it took.
SELECT job_id, type, name, predicted_ms, runtime_ms, outcome, ended_at
FROM jobs_attempt
WHERE org_id = %(org_id)s AND outcome IN ('done', 'error', 'timeout')
ORDER BY ended_at DESC
LIMIT %(points)s
