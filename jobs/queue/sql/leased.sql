-- What a claim does with the rows that it took out of the order, for claim.sql, which calls them `taken`. The tokens
-- come from the claim's own secret: a random one for each would cost more than the rest of its lease.
begun AS MATERIALIZED (
    SELECT taken.*, job.name, job.payload, job.correlation_id, job.timeout_seconds, job.max_attempts,
           job.attempt_limit, job.rank_offset, job.retry, job.limit_key AS job_key, org.slug AS org,
           job.predicted_low_ms, job.predicted_high_ms, job.failure_probability, job.model_version,
           (jsonb_build_object('shell_programs', org.shell_programs) || org.job_settings)::text AS org_settings,
           md5(%(secret)s || taken.job_id::text)::uuid AS token, clock_timestamp() AS leased_at,
           -- workers outside are not ours to stop: their lease ends with their time
           CASE WHEN taken.type = 'external' THEN make_interval(secs => job.timeout_seconds) END AS time_limit
    FROM taken
    JOIN jobs_job AS job ON job.id = taken.job_id
    JOIN orgs_org AS org ON org.id = taken.org_id
), leased AS (
    INSERT INTO jobs_lease (
        job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms, predicted_low_ms,
        predicted_high_ms, failure_probability, model_version, name, rank_offset, attempt_limit, limit_key,
        queued_at, leased_at, renewed_at, expires_at, deadline_at, cancel_requested, progress_message
    )
    SELECT job_id, org_id, queue, type, attempt + 1, token, %(worker_id)s::uuid, %(worker_name)s, predicted_ms,
           predicted_low_ms, predicted_high_ms, failure_probability, model_version, name, rank_offset, attempt_limit,
           coalesce(limit_key, nullif(job_key, '')), queued_at, leased_at, leased_at,
           leased_at + least(make_interval(secs => %(lease_seconds)s), time_limit), leased_at + time_limit, false, ''
    FROM begun
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, job_id, queue, 'queued', 'running', attempt + 1, 'worker:' || %(worker_name)s, '', leased_at
    FROM begun
)
SELECT job_id, attempt + 1, token, queue, type, name, payload::text, correlation_id, timeout_seconds, max_attempts,
       attempt_limit, org, org_id, org_settings, rank, retry::text
FROM begun
