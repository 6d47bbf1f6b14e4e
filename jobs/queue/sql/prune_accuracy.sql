-- Forget old hours, a bounded batch.
WITH old AS MATERIALIZED (
    SELECT id FROM jobs_accuracy
    WHERE hour < statement_timestamp() - make_interval(days => %(days)s)
    ORDER BY hour
    LIMIT 10000
)
DELETE FROM jobs_accuracy WHERE id = ANY (ARRAY(SELECT id FROM old))
