-- Go on with the mark of the roll-ups, if it is still where it was read.
UPDATE jobs_rollupmark
SET attempt_id = %(attempt_id)s, move_id = %(move_id)s, attempts_left = %(attempts_left)s, moves_left = %(moves_left)s
WHERE attempt_id = %(was_attempt_id)s AND move_id = %(was_move_id)s AND attempts_left = %(was_attempts_left)s
  AND moves_left = %(was_moves_left)s
RETURNING id
