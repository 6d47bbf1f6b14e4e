-- How an organisation's jobs are put in order in a queue: the queue's policy, and its share, where it has one.
SELECT coalesce((SELECT policy FROM jobs_queue WHERE org_id = %(org_id)s::bigint AND name = %(queue)s::text), ''),
       share.tau_seconds, share.typical_ms, share.rate,
       greatest(date_part('epoch', share.lead_until - clock_timestamp()), 0) AS lead_seconds,
       date_part('epoch', clock_timestamp() - share.looked_at) AS looked_seconds
FROM (VALUES (true)) AS one (row)
LEFT JOIN jobs_queueshare AS share ON share.org_id = %(org_id)s::bigint AND share.queue = %(queue)s::text
