-- The oldest attempt and move after these ids, less one: ids that nothing has are passed at once.
SELECT coalesce((SELECT min(id) FROM jobs_attempt WHERE id > %(attempt_id)s), %(attempt_id)s + 1) - 1 AS attempt_id,
       coalesce((SELECT min(id) FROM jobs_transition WHERE id > %(move_id)s), %(move_id)s + 1) - 1 AS move_id
