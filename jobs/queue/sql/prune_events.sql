-- Forget old events, a bounded batch.
DELETE FROM jobs_seenevent
WHERE id = ANY (ARRAY(
    SELECT id FROM jobs_seenevent
    WHERE at < statement_timestamp() - make_interval(days => %(days)s)
    ORDER BY at
    LIMIT 10000
))
