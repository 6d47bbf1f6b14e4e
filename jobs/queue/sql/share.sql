-- How an organisation's jobs are put in order in a queue: the queue's policy, and its share, where it has one.
SELECT coalesce((SELECT policy FROM jobs_queue WHERE org_id = %(org_id)s::bigint AND name = %(queue)s::text), ''),
       greatest(date_part('epoch', share.lead_until - clock_timestamp()), 0) AS lead_seconds, share.newest_rank,
       date_part('epoch', clock_timestamp() - share.looked_at) AS looked_seconds,
       share.rate, share.mean_log_ms, share.mean_square, share.jobs, backlog.usual_log_ms, backlog.usual_variance
FROM (VALUES (true)) AS one (row)
LEFT JOIN jobs_queueshare AS share ON share.org_id = %(org_id)s::bigint AND share.queue = %(queue)s::text
LEFT JOIN jobs_backlog AS backlog ON backlog.queue = %(queue)s::text
