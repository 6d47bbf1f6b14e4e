-- How the waits of jobs that started of late compare with what was said when they were submitted, in each queue: p10 and
-- p90 of the ratio, a second added to both so that those that start at once count as right.
WITH newest AS MATERIALIZED (
    SELECT job_id, number, started_at FROM jobs_attempt ORDER BY id DESC LIMIT %(attempts)s
), compared AS (
    SELECT job.queue,
           (date_part('epoch', newest.started_at - job.created_at) + 1)
           / (date_part('epoch', job.expected_start_at - job.created_at) + 1) AS ratio
    FROM newest
    JOIN jobs_job AS job ON job.id = newest.job_id
    WHERE newest.number = 1 AND job.expected_start_at IS NOT NULL
), ratios AS (
    SELECT queue, percentile_cont(0.1) WITHIN GROUP (ORDER BY ratio) AS early,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY ratio) AS late
    FROM compared
    GROUP BY queue
    HAVING count(*) >= %(enough)s
)
UPDATE jobs_backlog AS backlog
SET early_ratio = least(ratios.early, 1), late_ratio = greatest(ratios.late, 1), compared_at = clock_timestamp()
FROM ratios
WHERE backlog.queue = ratios.queue
