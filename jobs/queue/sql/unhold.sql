-- Let held jobs whose queue is no longer paused be claimed again; a bounded batch.
WITH chosen AS MATERIALIZED (
    SELECT ready.job_id FROM jobs_ready AS ready
    WHERE ready.held AND NOT EXISTS (
        SELECT FROM jobs_queue AS queue
        WHERE queue.org_id = ready.org_id AND queue.name = ready.queue AND queue.paused_at IS NOT NULL)
    LIMIT %(batch)s
    FOR UPDATE OF ready SKIP LOCKED
)
UPDATE jobs_ready AS ready SET held = false FROM chosen WHERE ready.job_id = chosen.job_id
RETURNING ready.queue
