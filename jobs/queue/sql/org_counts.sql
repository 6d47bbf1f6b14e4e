-- An organisation's jobs by queue and status, exact: the counts and the changes not yet folded, in one snapshot.
SELECT queue, status, sum(jobs)::bigint AS jobs
FROM (SELECT queue, status, jobs FROM jobs_statuscount WHERE org_id = %(org_id)s
      UNION ALL
      SELECT queue, status, jobs FROM jobs_statusdelta WHERE org_id = %(org_id)s) AS counted
GROUP BY queue, status
HAVING sum(jobs) > 0
