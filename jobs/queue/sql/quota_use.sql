-- What an organisation may have waiting and has: the counts and the changes not yet folded, in one snapshot, so exact.
SELECT org.max_waiting_jobs, org.max_payload_bytes, coalesce(jobs, 0)::bigint, coalesce(payload_bytes, 0)::bigint
FROM orgs_org AS org
CROSS JOIN (
    SELECT sum(jobs) FILTER (WHERE status IN ('scheduled', 'queued')) AS jobs, sum(payload_bytes) AS payload_bytes
    FROM (SELECT status, jobs, payload_bytes FROM jobs_statuscount WHERE org_id = %(org_id)s::bigint
          UNION ALL
          SELECT status, jobs, payload_bytes FROM jobs_statusdelta WHERE org_id = %(org_id)s::bigint) AS counted
) AS use
WHERE org.id = %(org_id)s::bigint
