-- Mark processes whose heartbeat stopped. Their leases run out by themselves; this is what people see.
UPDATE jobs_workerprocess
SET status = 'dead', stopped_at = clock_timestamp()
WHERE status IN ('online', 'draining')
  AND beat_at < clock_timestamp() - make_interval(secs => %(dead_seconds)s)
RETURNING id, kind, hostname, pid
