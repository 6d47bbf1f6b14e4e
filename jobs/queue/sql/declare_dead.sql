-- Mark processes whose heartbeat stopped. Their leases run out by themselves; this is what people see.
UPDATE jobs_workerprocess
SET status = 'dead', stopped_at = clock_timestamp()
WHERE status IN ('online', 'quiet', 'draining')
  AND beat_at < clock_timestamp() - make_interval(secs => %(dead_seconds)s)
  -- one of an organisation's own may renew as seldom as its leases allow
  AND NOT (org_id IS NOT NULL AND EXISTS (
      SELECT FROM jobs_lease WHERE worker_id = jobs_workerprocess.id AND expires_at > clock_timestamp()))
RETURNING id, kind, hostname, pid
