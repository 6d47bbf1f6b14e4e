-- Write down how many jobs wait, run and are scheduled in each queue that has any, or had in the last round.
WITH last AS MATERIALIZED (
    SELECT org_id, queue FROM jobs_depthsample
    WHERE at = (SELECT max(at) FROM jobs_depthsample) AND queued + running + scheduled > 0
), now AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), counted AS (
    SELECT org_id, queue,
           coalesce(sum(jobs) FILTER (WHERE status = 'queued'), 0) AS queued,
           coalesce(sum(jobs) FILTER (WHERE status = 'running'), 0) AS running,
           coalesce(sum(jobs) FILTER (WHERE status = 'scheduled'), 0) AS scheduled
    FROM (SELECT org_id, queue, status, jobs FROM jobs_statuscount
          UNION ALL
          SELECT org_id, queue, status, jobs FROM jobs_statusdelta) AS changes
    GROUP BY org_id, queue
)
INSERT INTO jobs_depthsample (org_id, queue, at, queued, running, scheduled)
SELECT counted.org_id, counted.queue, now.at, counted.queued, counted.running, counted.scheduled
FROM counted CROSS JOIN now
WHERE counted.queued + counted.running + counted.scheduled > 0
   OR (counted.org_id, counted.queue) IN (SELECT org_id, queue FROM last)
