-- The newest attempt and move, up to these ids, that are there at all: ids of what was deleted are passed at once.
SELECT coalesce((SELECT max(id) FROM jobs_attempt WHERE id <= %(attempts_left)s), 0) AS attempts_left,
       coalesce((SELECT max(id) FROM jobs_transition WHERE id <= %(moves_left)s), 0) AS moves_left
