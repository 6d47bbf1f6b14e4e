-- Give a job that has not started another urgency, and the place in the order that goes with it. No row when it runs,
-- has ended, or has that urgency. Its place is locked before the job, as by a cancel; a claim that has it wins.
WITH place AS MATERIALIZED (
    SELECT job_id FROM jobs_ready WHERE job_id = %(job_id)s FOR UPDATE
), waiting AS MATERIALIZED (
    SELECT id, queue, (%(shifts)s::jsonb ->> urgency)::float8 AS shift
    FROM jobs_job
    WHERE id = %(job_id)s AND org_id = %(org_id)s AND urgency <> %(urgency)s
      AND (status = 'scheduled' OR status = 'queued' AND EXISTS (SELECT FROM place))
    FOR UPDATE
), changed AS (
    UPDATE jobs_job AS job
    SET urgency = %(urgency)s, rank_offset = job.rank_offset + waiting.shift
    FROM waiting
    WHERE job.id = waiting.id
), moved AS (
    UPDATE jobs_ready AS ready SET rank = ready.rank + waiting.shift
    FROM waiting
    WHERE ready.job_id = waiting.id
    RETURNING ready.job_id, ready.rank
)
SELECT waiting.queue, waiting.shift, moved.rank FROM waiting LEFT JOIN moved ON moved.job_id = waiting.id
