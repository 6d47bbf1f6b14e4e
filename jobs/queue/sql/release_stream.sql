-- Hold a receiver no longer, so that another process goes on at once.
UPDATE jobs_streamposition SET holder = NULL, held_until = NULL WHERE name = %(sink)s AND holder = %(holder)s
