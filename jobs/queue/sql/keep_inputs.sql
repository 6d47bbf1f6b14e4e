-- Put off the end of files that a job names: to so many days after it is due, never forward.
UPDATE jobs_artefact
SET expires_at = coalesce(%(run_at)s::timestamptz, clock_timestamp() + make_interval(secs => coalesce(%(delay_seconds)s::float8, 0)))
                 + make_interval(days => %(days)s)
WHERE id = ANY (%(ids)s::uuid[]) AND org_id = %(org_id)s AND job_id IS NULL
  AND expires_at > clock_timestamp()
  AND expires_at < coalesce(%(run_at)s::timestamptz, clock_timestamp() + make_interval(secs => coalesce(%(delay_seconds)s::float8, 0)))
                   + make_interval(days => %(days)s)
