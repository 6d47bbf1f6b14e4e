-- A receiver has acknowledged all moves up to this one; nothing where another process sends to it by now.
UPDATE jobs_streamposition
SET position = %(upto)s, updated_at = clock_timestamp(),
    held_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE name = %(sink)s AND holder = %(holder)s AND position = %(after)s
RETURNING position
