-- The jobs that an operation has kept back may be claimed again where nothing else holds them: in the places they had.
WITH gone AS (
    DELETE FROM jobs_bulkhold WHERE operation_id = %(operation_id)s RETURNING job_id
), freed AS (
    UPDATE jobs_ready AS ready SET held = false
    FROM jobs_job AS job
    WHERE job.id = ANY (ARRAY(SELECT job_id FROM gone)) AND ready.job_id = job.id AND ready.held AND NOT {{held}}
      AND NOT EXISTS (SELECT FROM jobs_bulkhold AS other
                      WHERE other.job_id = job.id AND other.operation_id <> %(operation_id)s)
    RETURNING ready.queue, ready.rank, ready.limit_key IS NOT NULL AS limited
)
SELECT queue, rank, limited FROM freed
