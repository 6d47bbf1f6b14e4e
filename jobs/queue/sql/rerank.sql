-- Give a job that has not ended or begun another urgency and the place that goes with it. Its place is locked first, as by a
-- claim: what a worker is taking at this moment is that worker's, and is left as it is.
WITH waiting AS MATERIALIZED (
    SELECT job_id FROM jobs_ready WHERE job_id = %(job_id)s::uuid AND org_id = %(org_id)s::bigint
    FOR UPDATE SKIP LOCKED
), changed AS (
    UPDATE jobs_job AS job
    SET urgency = %(urgency)s, rank_offset = %(rank_offset)s, stretch = %(stretch)s
    WHERE job.id = %(job_id)s::uuid AND job.org_id = %(org_id)s::bigint AND job.urgency <> %(urgency)s
      AND job.rank_offset = %(was)s
      AND (job.status = 'scheduled' OR job.status = 'queued' AND EXISTS (SELECT FROM waiting))
    RETURNING job.id, job.queue, job.queued_at, job.share_offset, job.rank_offset
), moved AS (
    UPDATE jobs_ready AS ready
    SET rank = date_part('epoch', changed.queued_at) + changed.share_offset + changed.rank_offset
    FROM changed
    WHERE ready.job_id = %(job_id)s::uuid AND changed.id = ready.job_id
    RETURNING ready.queue, ready.rank, ready.limit_key IS NOT NULL AS limited
)
SELECT changed.queue, moved.rank, moved.limited FROM changed LEFT JOIN moved ON true
