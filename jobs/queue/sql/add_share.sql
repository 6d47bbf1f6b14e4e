-- Add to the lead of an organisation in a queue what it has put in, and say how it stands then. A row that another has
-- locked is left alone (no answer): nothing is waited for. It need not survive a crash, for the leader knows better within
-- a second: its commit waits for no disk.
WITH quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), known AS MATERIALIZED (
    SELECT id FROM jobs_queueshare WHERE org_id = %(org_id)s::bigint AND queue = %(queue)s::text
), free AS MATERIALIZED (
    SELECT id FROM jobs_queueshare WHERE id = (SELECT id FROM known) FOR UPDATE SKIP LOCKED
), queue AS MATERIALIZED (
    SELECT coalesce((SELECT policy FROM jobs_queue WHERE org_id = %(org_id)s::bigint AND name = %(queue)s::text), '')
           AS policy
), added AS (
    UPDATE jobs_queueshare AS share
    SET lead_until = greatest(share.lead_until, clock_timestamp()) + make_interval(
            -- what came in before the leader looked is in it
            secs => (%(more_seconds)s + CASE WHEN share.looked_at > clock_timestamp() - make_interval(secs => %(ago_seconds)s)
                                             THEN 0 ELSE %(cost_seconds)s END) / share.rate),
        mean_log_ms = share.mean_log_ms
            + (%(mean_log_ms)s - share.mean_log_ms) * %(jobs)s / greatest(share.jobs + %(jobs)s, 1),
        mean_square = share.mean_square
            + (%(mean_square)s - share.mean_square) * %(jobs)s / greatest(share.jobs + %(jobs)s, 1),
        jobs = least(share.jobs + %(jobs)s, %(mean_jobs)s),
        newest_rank = CASE WHEN %(fifo)s THEN
            greatest(share.newest_rank, %(newest_rank)s, %(base)s,
                     %(base)s + date_part('epoch', share.lead_until - clock_timestamp()))
            -- those that are about to come, one behind the other
            + %(more_seconds)s / share.rate ELSE 0 END
    WHERE share.id = (SELECT id FROM free) AND (SELECT count(*) FROM quick) = 1
    RETURNING share.*
), made AS (
    INSERT INTO jobs_queueshare AS share (
        org_id, queue, lead_until, rate, mean_log_ms, mean_square, jobs, newest_rank, looked_at
    )
    SELECT %(org_id)s::bigint, %(queue)s::text,
           clock_timestamp() + make_interval(secs => (%(more_seconds)s + %(cost_seconds)s) / %(rate)s),
           %(rate)s, %(mean_log_ms)s, %(mean_square)s, least(%(jobs)s, %(mean_jobs)s),
           CASE WHEN %(fifo)s THEN greatest(%(newest_rank)s, %(base)s) + %(more_seconds)s / %(rate)s ELSE 0 END,
           to_timestamp(0)
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (org_id, queue) DO NOTHING
    RETURNING share.*
)
SELECT queue.policy, greatest(date_part('epoch', share.lead_until - clock_timestamp()), 0) AS lead_seconds,
       share.newest_rank, 0 AS looked_seconds,
       share.rate, share.mean_log_ms, share.mean_square, share.jobs, backlog.usual_log_ms, backlog.usual_variance
FROM (TABLE added UNION ALL TABLE made) AS share
CROSS JOIN queue
LEFT JOIN jobs_backlog AS backlog ON backlog.queue = %(queue)s::text
