-- Operations that ended long ago, with what became of each job: the oldest, as many as have together no more rows than a
-- statement may delete.
WITH oldest AS MATERIALIZED (
    SELECT id, ended_at, 1 + least(done, %(kept)s) + least(skipped, %(kept)s) + least(failed, %(kept)s) AS own
    FROM jobs_bulkoperation
    WHERE ended_at < clock_timestamp() - make_interval(days => %(days)s)
    ORDER BY ended_at, id
    LIMIT 1000
), old AS MATERIALIZED (
    SELECT id FROM (SELECT id, own, sum(own) OVER (ORDER BY ended_at, id) AS rows FROM oldest) AS counted
    WHERE rows <= 5 * %(kept)s
), told AS (
    DELETE FROM jobs_bulkoutcome WHERE operation_id = ANY (ARRAY(SELECT id FROM old))
)
DELETE FROM jobs_bulkoperation WHERE id = ANY (ARRAY(SELECT id FROM old))
