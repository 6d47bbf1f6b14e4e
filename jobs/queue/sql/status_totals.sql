-- Jobs by status over all organisations, exact: the counts and the changes not yet folded, in one snapshot.
SELECT status, sum(jobs)::bigint AS jobs
FROM (SELECT status, jobs FROM jobs_statuscount UNION ALL SELECT status, jobs FROM jobs_statusdelta) AS counted
GROUP BY status
