-- The leads of jobs that come into queues together (`coming`: id, org_id, queue, predicted_ms, place), each behind what its
-- organisation has put in before; and what that adds to its lead. For promote.sql, release.sql and replay.sql.
streams AS MATERIALIZED (
    SELECT org_id, queue, sum(predicted_ms) / 1000 AS cost_seconds FROM coming GROUP BY org_id, queue
), shares AS MATERIALIZED (
    SELECT share.org_id, share.queue, share.rate,
           greatest(date_part('epoch', share.lead_until - clock_timestamp()), 0) AS lead_seconds
    FROM jobs_queueshare AS share
    JOIN streams ON streams.org_id = share.org_id AND streams.queue = share.queue
    -- two statements with the same ones wait for each other in one order
    ORDER BY share.org_id, share.queue
    FOR UPDATE OF share
), spaced AS MATERIALIZED (
    SELECT coming.id, coming.place,
           coalesce(shares.lead_seconds, 0)
           + (sum(coming.predicted_ms) OVER (PARTITION BY coming.org_id, coming.queue ORDER BY coming.place)
              - coming.predicted_ms) / 1000 / coalesce(shares.rate, %(rate)s) AS share_offset
    FROM coming
    LEFT JOIN shares ON shares.org_id = coming.org_id AND shares.queue = coming.queue
), led AS (
    INSERT INTO jobs_queueshare AS share (
        org_id, queue, lead_until, rate, tau_seconds, typical_ms, mean_log_ms, looked_at
    )
    SELECT org_id, queue, clock_timestamp() + make_interval(secs => cost_seconds / %(rate)s), %(rate)s,
           %(tau_seconds)s, %(typical_ms)s, ln(%(typical_ms)s), to_timestamp(0)
    FROM streams
    ORDER BY org_id, queue
    ON CONFLICT (org_id, queue) DO UPDATE
    SET lead_until = greatest(share.lead_until, clock_timestamp())
                     + (excluded.lead_until - clock_timestamp()) * (excluded.rate / share.rate)
)
