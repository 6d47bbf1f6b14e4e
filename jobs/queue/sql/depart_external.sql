-- A worker of an organisation's own takes no more: it ends what it has (draining), or has ended.
UPDATE jobs_workerprocess
SET status = %(status)s, beat_at = clock_timestamp(),
    stopped_at = CASE WHEN %(status)s = 'offline' THEN clock_timestamp() END
WHERE id = %(id)s
