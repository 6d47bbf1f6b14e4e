-- Choose an organisation whose model is to be trained, one that drifts before others, and put its next training off
-- before this one is begun: one that fails each time, or takes the leader with it, must not keep others waiting.
WITH due AS MATERIALIZED (
    SELECT org_id
    FROM jobs_learning
    CROSS JOIN LATERAL (
        SELECT worse_since + make_interval(secs => %(drift_seconds)s) AS drifting_since
    ) AS drift
    WHERE (not_before IS NULL OR not_before <= clock_timestamp())
      AND runs >= %(least)s
      AND (runs - trained_runs >= greatest(%(after_runs)s, %(after_share)s * least(trained_runs, %(most)s))
           OR (drifting_since <= clock_timestamp() AND (trained_at IS NULL OR trained_at < drifting_since)))
    ORDER BY drifting_since, trained_at NULLS FIRST, org_id
    LIMIT 1
    FOR UPDATE OF jobs_learning SKIP LOCKED
)
UPDATE jobs_learning AS learning
SET failures = failures + 1,
    not_before = clock_timestamp() + make_interval(secs => least(%(retry_seconds)s * 2 ^ least(failures, 30), %(retry_cap_seconds)s))
FROM due
JOIN orgs_org AS org ON org.id = due.org_id
WHERE learning.org_id = due.org_id
RETURNING org.slug, learning.org_id, learning.failures
