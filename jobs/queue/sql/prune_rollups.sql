-- Forget old minutes, hours and days, a bounded batch.
WITH old AS MATERIALIZED (
    SELECT found.id
    FROM unnest(%(seconds)s::int[], %(days)s::int[]) AS level (seconds, days)
    CROSS JOIN LATERAL (
        SELECT id FROM jobs_rollup
        WHERE seconds = level.seconds AND at < statement_timestamp() - make_interval(days => level.days)
        ORDER BY at
        LIMIT %(batch)s
    ) AS found
)
DELETE FROM jobs_rollup WHERE id = ANY (ARRAY(SELECT id FROM old))
RETURNING id
