-- Say in the history of a job that waits what a person changed about it: a move from its status to the same.
INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
SELECT org_id, id, queue, status, status, attempt, %(actor)s, left(%(reason)s, 200), clock_timestamp()
FROM jobs_job
WHERE id = %(job_id)s::uuid AND status IN ('queued', 'scheduled')
