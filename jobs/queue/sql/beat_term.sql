-- The leader says that it is at work.
UPDATE jobs_leaderterm SET beat_at = clock_timestamp() WHERE epoch = %(epoch)s AND ended_at IS NULL RETURNING epoch
