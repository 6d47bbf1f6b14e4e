-- Send to a receiver for so long, if nobody else does: its position; nothing while another holds it.
UPDATE jobs_streamposition
SET holder = %(holder)s, held_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE name = %(sink)s AND (holder IS NULL OR holder = %(holder)s OR held_until <= clock_timestamp())
RETURNING position
