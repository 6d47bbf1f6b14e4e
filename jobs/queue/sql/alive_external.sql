-- Workers of organisations' own that call about their leases, or wait for a job: they live. One that was declared dead
-- is back.
UPDATE jobs_workerprocess
SET beat_at = clock_timestamp(), jobs_processed = jobs_processed + %(jobs)s,
    status = CASE WHEN status = 'dead' THEN 'online' ELSE status END,
    stopped_at = CASE WHEN status = 'offline' THEN stopped_at END
WHERE id = ANY (%(ids)s::uuid[]) AND (%(jobs)s > 0 OR beat_at < clock_timestamp() - make_interval(secs => %(beat_seconds)s))
