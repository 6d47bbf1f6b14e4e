-- What is remembered of an organisation's keys: of each (level, key) asked for that has a row.
SELECT memory.*
FROM unnest(%(levels)s::int[], %(keys)s::text[]) AS asked (level, key)
CROSS JOIN LATERAL (
    SELECT level, key, runs, failures, means, squares, failed, last_ended, recent_ms, recent_failed, recent_ended
    FROM jobs_runtimememory
    WHERE org_id = %(org_id)s AND level = asked.level AND key = asked.key
    OFFSET 0  -- by the index, whatever share of the table is this organisation's
) AS memory
