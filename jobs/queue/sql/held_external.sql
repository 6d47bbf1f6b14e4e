-- The lease that a worker outside names, as the claim gave it (the columns of claim.sql), whether its end was asked for,
-- and whose it is.
SELECT lease.job_id, lease.attempt, lease.token, lease.queue, lease.type, job.name, job.payload::text, job.correlation_id,
       job.timeout_seconds, job.max_attempts, lease.attempt_limit, org.slug, lease.org_id, '{}' AS org_settings,
       0::float8 AS rank, job.retry::text, lease.cancel_requested, lease.worker_id, lease.worker_name
FROM jobs_lease AS lease
JOIN jobs_job AS job ON job.id = lease.job_id
JOIN orgs_org AS org ON org.id = lease.org_id
WHERE lease.job_id = %(job_id)s AND lease.token = %(token)s AND lease.attempt = %(attempt)s
