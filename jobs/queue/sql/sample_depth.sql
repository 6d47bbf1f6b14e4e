-- Write down how many jobs wait, run and are scheduled in each queue that has any, or had in the last sample.
INSERT INTO jobs_depthsample (org_id, queue, at, queued, running, scheduled)
SELECT org_id, queue, clock_timestamp(),
       coalesce(sum(jobs) FILTER (WHERE status = 'queued'), 0),
       coalesce(sum(jobs) FILTER (WHERE status = 'running'), 0),
       coalesce(sum(jobs) FILTER (WHERE status = 'scheduled'), 0)
FROM (SELECT org_id, queue, status, jobs FROM jobs_statuscount
      UNION ALL
      SELECT org_id, queue, status, jobs FROM jobs_statusdelta) AS counted
GROUP BY org_id, queue
