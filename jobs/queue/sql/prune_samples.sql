-- Forget old depth samples and processes that ended long ago.
WITH samples AS (
    DELETE FROM jobs_depthsample
    WHERE id IN (SELECT id FROM jobs_depthsample
                 WHERE at < clock_timestamp() - make_interval(days => %(days)s) ORDER BY id LIMIT 10000)
)
DELETE FROM jobs_workerprocess
WHERE status IN ('offline', 'dead') AND stopped_at < clock_timestamp() - interval '1 day'
