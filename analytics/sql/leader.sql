-- The open term, else the last one, with the age of its heartbeat by the clock that wrote it.
SELECT epoch, process_id, hostname, pid, elected_at, beat_at, ended_at,
       extract(epoch FROM clock_timestamp() - beat_at)::float8 AS beat_age_seconds
FROM jobs_leaderterm
ORDER BY ended_at IS NOT NULL, epoch DESC
LIMIT 1
