-- Add failed attempts to the groups of errors that they belong to, and to their counts by the hour.
WITH told AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(told)s::json) AS told (
        org_id bigint, fingerprint text, error_type text, sample text, at timestamptz, job_id uuid, queue text, type text,
        name text)
), counts AS (
    INSERT INTO jobs_errorcount AS counted (org_id, fingerprint, hour, queue, type, name, attempts)
    SELECT org_id, fingerprint, date_trunc('hour', at, 'UTC'), queue, type, name, count(*) FROM told
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (org_id, fingerprint, hour, queue, type, name)
    DO UPDATE SET attempts = counted.attempts + excluded.attempts
), latest AS (
    SELECT DISTINCT ON (org_id, fingerprint) org_id, fingerprint, error_type, sample, job_id
    FROM told ORDER BY org_id, fingerprint, at DESC
)
INSERT INTO jobs_errorgroup AS known (org_id, fingerprint, error_type, sample, attempts, first_at, last_at, last_job_id)
SELECT org_id, fingerprint, latest.error_type, latest.sample, attempts, first_at, last_at, latest.job_id
FROM (SELECT org_id, fingerprint, count(*) AS attempts, min(at) AS first_at, max(at) AS last_at
      FROM told GROUP BY org_id, fingerprint) AS group_of
JOIN latest USING (org_id, fingerprint)
ORDER BY org_id, fingerprint
ON CONFLICT (org_id, fingerprint) DO UPDATE
SET attempts = known.attempts + excluded.attempts, first_at = least(known.first_at, excluded.first_at),
    last_at = greatest(known.last_at, excluded.last_at),
    sample = CASE WHEN excluded.last_at >= known.last_at THEN excluded.sample ELSE known.sample END,
    last_job_id = CASE WHEN excluded.last_at >= known.last_at THEN excluded.last_job_id ELSE known.last_job_id END
