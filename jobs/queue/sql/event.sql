-- What subscribers are told of a job (job) as it is now; null, and nothing is made up, where there are none.
CASE WHEN job.status IN ('done', 'failed', 'cancelled')
          -- OFFSET keeps it a look by index: the subscribers of all others are not read
          AND EXISTS (SELECT FROM jobs_subscriber AS subscriber WHERE {{heard}} OFFSET 0)
     THEN jsonb_build_object(
         'id', job.id, 'type', job.type, 'name', job.name, 'title', job.title, 'queue', job.queue,
         'status', job.status, 'attempt', job.attempt, 'life', job.life, 'batch_id', job.batch_id,
         'outcome', job.outcome, 'error_type', job.error_type, 'error', left(job.error, 500),
         'runtime_ms', job.runtime_ms, 'correlation_id', job.correlation_id,
         'created_at', to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         'started_at', to_char(job.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         'finished_at', to_char(job.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
END
