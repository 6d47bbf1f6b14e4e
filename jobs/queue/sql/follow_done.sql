-- A follower has done all rows up to this one.
UPDATE jobs_follower SET done_id = %(last_id)s, done_at = %(last_at)s WHERE name = %(follower)s
