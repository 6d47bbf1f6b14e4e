-- Add to the lead of an organisation in a queue what it has put in, and say how it stands then. A row that another has
-- locked is left alone (no answer): nothing is waited for. It need not survive a crash, for the leader knows better within
-- a second: its commit waits for no disk.
WITH quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), known AS MATERIALIZED (
    SELECT id FROM jobs_queueshare WHERE org_id = %(org_id)s::bigint AND queue = %(queue)s::text
), free AS MATERIALIZED (
    SELECT id FROM jobs_queueshare WHERE id = (SELECT id FROM known) FOR UPDATE SKIP LOCKED
), added AS (
    UPDATE jobs_queueshare AS share
    SET lead_until = greatest(share.lead_until, clock_timestamp()) + make_interval(
            -- what came in before the leader looked is in it
            secs => (%(more_seconds)s + CASE WHEN share.looked_at > clock_timestamp() - make_interval(secs => %(ago_seconds)s)
                                             THEN 0 ELSE %(cost_seconds)s END) / share.rate),
        mean_lead_seconds = share.mean_lead_seconds
            + (%(mean_lead_seconds)s - share.mean_lead_seconds) * %(part)s,
        mean_log_ms = share.mean_log_ms + (%(mean_log_ms)s - share.mean_log_ms) * %(part)s
    WHERE share.id = (SELECT id FROM free) AND (SELECT count(*) FROM quick) = 1
    RETURNING share.tau_seconds, share.typical_ms, share.rate, share.lead_until
), made AS (
    INSERT INTO jobs_queueshare AS share (
        org_id, queue, lead_until, rate, tau_seconds, typical_ms, mean_log_ms, mean_lead_seconds, looked_at
    )
    SELECT %(org_id)s::bigint, %(queue)s::text,
           clock_timestamp() + make_interval(secs => (%(more_seconds)s + %(cost_seconds)s) / %(rate)s),
           %(rate)s, %(tau_seconds)s, %(typical_ms)s, ln(%(typical_ms)s), %(mean_lead_seconds)s * %(part)s,
           to_timestamp(0)
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (org_id, queue) DO NOTHING
    RETURNING share.tau_seconds, share.typical_ms, share.rate, share.lead_until
)
SELECT coalesce((SELECT policy FROM jobs_queue WHERE org_id = %(org_id)s::bigint AND name = %(queue)s::text), ''),
       tau_seconds, typical_ms, rate, greatest(date_part('epoch', lead_until - clock_timestamp()), 0) AS lead_seconds
FROM (TABLE added UNION ALL TABLE made) AS share
