-- Whether external jobs of this organisation's queue wait for a limit.
SELECT EXISTS (
    SELECT FROM jobs_ready AS ready
    WHERE ready.queue = %(queue)s AND ready.type = 'external' AND ready.org_id = %(org_id)s::bigint
      AND NOT ready.held AND ready.limit_key IS NOT NULL) AS waiting
