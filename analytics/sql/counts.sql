-- An organisation's jobs by status, exact: the counts and the changes not yet folded, in one snapshot.
SELECT coalesce(jsonb_object_agg(status, jobs), '{}') AS by_status,
       (SELECT count(*) FROM jobs_workerprocess
        WHERE kind = 'worker' AND status IN ('online', 'draining')
          AND (org_id IS NULL OR org_id = %(org_id)s)
          AND beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)) AS active_workers
FROM (
    SELECT status, sum(jobs)::bigint AS jobs
    FROM (SELECT status, jobs FROM jobs_statuscount WHERE org_id = %(org_id)s
          UNION ALL
          SELECT status, jobs FROM jobs_statusdelta WHERE org_id = %(org_id)s) AS counted
    GROUP BY status
) AS summed
