-- Scheduled jobs that are locked (due) are queued, in the order in which they were due. For promote.sql and run_now.sql.
coming AS MATERIALIZED (
    SELECT id, org_id, queue, type, predicted_ms, stretch, row_number() OVER (ORDER BY due_at, id) AS place FROM due
), {{spaced}}, promoted AS (
    -- in the order in which they were due; by an array too, so that it is never planned as a scan of all jobs
    UPDATE jobs_job AS job
    SET status = 'queued', queued_at = statement_timestamp() + spaced.place * interval '1 microsecond',
        share_offset = spaced.share_offset, rank_offset = spaced.rank_offset
    FROM spaced
    WHERE job.id = spaced.id AND job.id = ANY (ARRAY(SELECT id FROM due))
    RETURNING job.id, job.org_id, job.queue, job.type, job.queued_at, job.rank_offset, job.share_offset, job.attempt,
              job.predicted_ms, job.name, job.limit_key
), waiting AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, kind_held, limit_key)
    SELECT id, org_id, queue, type, date_part('epoch', queued_at) + share_offset + rank_offset, queued_at, attempt,
           predicted_ms, {{kept_back}}, {{kind_held}}, {{limit_key}}
    FROM promoted AS job
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, 'scheduled', 'queued', attempt, %(actor)s, %(reason)s, queued_at
    FROM promoted
)
