-- A worker of an organisation's own asks for jobs: its row in the pool is made, or its heartbeat written if the last is
-- old. No more than a thousand rows an organisation: the names are of its own choice.
INSERT INTO jobs_workerprocess AS known (
    id, org_id, kind, hostname, pid, version, slots, queues, types, status, started_at, beat_at,
    cpu_percent, memory_bytes, jobs_processed
)
SELECT %(id)s::uuid, %(org_id)s::bigint, 'worker', %(worker_name)s, 0, %(version)s, %(slots)s, %(queues)s::jsonb,
       '["external"]', 'online', clock_timestamp(), clock_timestamp(), 0, 0, 0
WHERE EXISTS (SELECT FROM jobs_workerprocess WHERE id = %(id)s::uuid)
   OR (SELECT count(*) FROM jobs_workerprocess WHERE org_id = %(org_id)s::bigint) < 1000
ON CONFLICT (id) DO UPDATE
SET status = CASE WHEN known.asked IN ('quiet', 'stop') AND known.status <> 'offline' THEN 'quiet' ELSE 'online' END,
    -- one that begins anew under its name has been told nothing
    asked = CASE WHEN known.status = 'offline' THEN '' ELSE known.asked END,
    beat_at = excluded.beat_at, stopped_at = NULL, slots = excluded.slots, queues = excluded.queues,
    version = excluded.version
WHERE known.status <> CASE WHEN known.asked IN ('quiet', 'stop') THEN 'quiet' ELSE 'online' END OR known.slots <> excluded.slots OR known.queues <> excluded.queues
   OR known.beat_at < clock_timestamp() - make_interval(secs => %(beat_seconds)s)
