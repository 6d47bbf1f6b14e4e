-- Note the versions of the software that run, when each was first seen.
INSERT INTO jobs_release (version, seen_at)
SELECT version, min(started_at) FROM jobs_workerprocess WHERE org_id IS NULL AND status = 'online' GROUP BY version
ON CONFLICT (version) DO NOTHING
