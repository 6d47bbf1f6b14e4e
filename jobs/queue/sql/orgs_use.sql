-- What each of these organisations has: of what there are quotas for (quota_use.sql), and what runs. For a page of them.
SELECT asked.org_id,
       (SELECT coalesce(sum(jobs), 0)
        FROM (SELECT status, jobs FROM jobs_statuscount WHERE org_id = asked.org_id
              UNION ALL
              SELECT status, jobs FROM jobs_statusdelta WHERE org_id = asked.org_id) AS counted
        WHERE status IN ('scheduled', 'queued'))::bigint AS waiting_jobs,
       (SELECT coalesce(sum(payload_bytes), 0)
        FROM (SELECT payload_bytes FROM jobs_payloadcount WHERE org_id = asked.org_id
              UNION ALL
              SELECT payload_bytes FROM jobs_payloaddelta WHERE org_id = asked.org_id) AS summed)::bigint
           AS payload_bytes,
       (SELECT count(*) FROM jobs_schedule WHERE org_id = asked.org_id) AS schedules,
       (SELECT coalesce(sum(size_bytes), 0) FROM jobs_artefact WHERE org_id = asked.org_id)::bigint AS artefact_bytes,
       (SELECT count(*) FROM jobs_lease WHERE org_id = asked.org_id) AS running_jobs,
       (SELECT extract(epoch FROM clock_timestamp() - min(queued_at)) FROM jobs_ready WHERE org_id = asked.org_id)::float8
           AS oldest_wait_seconds
FROM unnest(%(org_ids)s::bigint[]) AS asked (org_id)
