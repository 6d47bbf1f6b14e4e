-- Forget old depth samples, a bounded batch, and processes that ended long ago.
WITH old AS MATERIALIZED (
    SELECT id FROM jobs_depthsample
    WHERE at < statement_timestamp() - make_interval(days => %(days)s)
    ORDER BY at
    LIMIT 10000
), samples AS (
    DELETE FROM jobs_depthsample WHERE id = ANY (ARRAY(SELECT id FROM old))
)
DELETE FROM jobs_workerprocess
WHERE status IN ('offline', 'dead') AND stopped_at < clock_timestamp() - interval '1 day'
