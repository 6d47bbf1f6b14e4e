-- Take jobs whose texts are to be read, those due longest first. Whoever takes one has %(seconds)s seconds to write the
-- answer; then it is due again.
WITH due AS MATERIALIZED (
    SELECT job_id FROM jobs_toclassify
    WHERE due_at <= statement_timestamp()
    ORDER BY due_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE jobs_toclassify AS unread SET due_at = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE unread.job_id = ANY (ARRAY(SELECT job_id FROM due))
    RETURNING unread.job_id, unread.category, unread.urgency
)
SELECT job.id AS job_id, job.org_id, job.type, job.title, left(job.description, %(characters)s) AS description,
       job.category AS given_category, job.urgency AS given_urgency, taken.category, taken.urgency
FROM taken
-- by an array too: a join may be planned as a scan of all jobs
JOIN jobs_job AS job ON job.id = taken.job_id AND job.id = ANY (ARRAY(SELECT job_id FROM taken))
ORDER BY job.org_id, job.id
