-- The external jobs of one organisation in one of its queues that no limit is about, best rank first. A pause counts at
-- once, also for rows not yet marked held.
SELECT ready.job_id, ready.rank
    FROM jobs_ready AS ready
    WHERE ready.org_id = %(org_id)s::bigint AND ready.queue = %(queue)s AND ready.type = 'external'
      AND NOT ready.held AND ready.limit_key IS NULL
      AND NOT EXISTS (
          SELECT FROM jobs_queue AS paused
          WHERE paused.org_id = %(org_id)s::bigint AND paused.name = %(queue)s AND paused.paused_at IS NOT NULL)
    ORDER BY ready.rank, ready.job_id
    LIMIT %(slots)s
