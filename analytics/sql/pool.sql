-- The processes that live, or ended or were lost in the last hour, with the age of their heartbeat.
SELECT id, kind, hostname, pid, version, slots, queues, types, status, started_at, beat_at, stopped_at,
       cpu_percent, memory_bytes, jobs_processed,
       greatest(extract(epoch FROM clock_timestamp() - beat_at), 0)::float8 AS beat_age_seconds
FROM jobs_workerprocess
WHERE status IN ('online', 'draining') OR coalesce(stopped_at, beat_at) > clock_timestamp() - interval '1 hour'
ORDER BY status NOT IN ('online', 'draining'), kind DESC, hostname, started_at DESC
LIMIT %(bound)s
