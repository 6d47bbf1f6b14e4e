-- Renew the lease of an external job, no further than its time reaches. No row: it is lost, or its time is up.
UPDATE jobs_lease
SET renewed_at = clock_timestamp(),
    expires_at = least(clock_timestamp() + make_interval(secs => %(lease_seconds)s), deadline_at)
WHERE job_id = %(job_id)s AND token = %(token)s AND attempt = %(attempt)s AND expires_at > clock_timestamp()
RETURNING expires_at, deadline_at, cancel_requested, worker_id,
          coalesce((SELECT asked FROM jobs_workerprocess AS process WHERE process.id = worker_id), '') AS asked
