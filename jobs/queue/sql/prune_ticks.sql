-- Forget old times of schedules, a bounded batch.
DELETE FROM jobs_scheduletick
WHERE id = ANY (ARRAY(
    SELECT id FROM jobs_scheduletick
    WHERE fired_at < statement_timestamp() - make_interval(days => %(days)s)
    ORDER BY fired_at
    LIMIT 10000
))
