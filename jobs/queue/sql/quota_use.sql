-- What an organisation may have waiting and has: the counts and the changes not yet folded, in one snapshot, so exact.
SELECT org.max_waiting_jobs, org.max_payload_bytes, coalesce(waiting.jobs, 0)::bigint, coalesce(payloads.bytes, 0)::bigint
FROM orgs_org AS org
CROSS JOIN (
    SELECT sum(jobs) AS jobs
    FROM (SELECT status, jobs FROM jobs_statuscount WHERE org_id = %(org_id)s::bigint
          UNION ALL
          SELECT status, jobs FROM jobs_statusdelta WHERE org_id = %(org_id)s::bigint) AS counted
    WHERE status IN ('scheduled', 'queued')
) AS waiting
CROSS JOIN (
    SELECT sum(payload_bytes) AS bytes
    FROM (SELECT payload_bytes FROM jobs_payloadcount WHERE org_id = %(org_id)s::bigint
          UNION ALL
          SELECT payload_bytes FROM jobs_payloaddelta WHERE org_id = %(org_id)s::bigint) AS summed
) AS payloads
WHERE org.id = %(org_id)s::bigint
