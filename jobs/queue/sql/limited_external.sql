-- Whether external jobs of this organisation's queue wait for a limit. In an order: else it may be planned as a look
-- through all that waits, for the first that fits.
SELECT EXISTS (
    SELECT FROM (
        SELECT FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = 'external' AND ready.org_id = %(org_id)s::bigint
          AND NOT ready.held AND ready.limit_key IS NOT NULL
        ORDER BY ready.limit_key, ready.rank
        LIMIT 1
    ) AS head
) AS waiting
