-- Forget buckets that are full again, or whose limit or rate is gone; a bounded batch. A claim that is filling one at
-- this moment keeps it.
WITH chosen AS MATERIALIZED (
    SELECT bucket.id
    FROM jobs_limitbucket AS bucket
    CROSS JOIN (SELECT clock_timestamp() AS at) AS moment
    LEFT JOIN jobs_limit AS limited ON limited.id = bucket.limit_id
    WHERE coalesce({{tokens}} >= limited.burst, true)
    LIMIT %(batch)s
    FOR UPDATE OF bucket SKIP LOCKED
), forgotten AS (
    DELETE FROM jobs_limitbucket AS bucket WHERE bucket.id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING bucket.id
)
SELECT count(*) AS buckets FROM forgotten
