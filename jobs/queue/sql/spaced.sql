-- The places of jobs that come into queues together (`coming`: id, org_id, queue, type, predicted_ms, stretch, place), each
-- behind what its organisation has put in before; and what that adds to its lead. For promote.sql, release.sql and
-- replay.sql; jobs.ranking says what a place is made of.
streams AS MATERIALIZED (
    SELECT org_id, queue, sum(predicted_ms) / 1000 AS cost_seconds FROM coming GROUP BY org_id, queue
), shares AS MATERIALIZED (
    SELECT share.org_id, share.queue, share.rate, share.newest_rank,
           greatest(date_part('epoch', share.lead_until - clock_timestamp()), 0) AS lead_seconds
    FROM jobs_queueshare AS share
    JOIN streams ON streams.org_id = share.org_id AND streams.queue = share.queue
    -- two statements with the same ones wait for each other in one order
    ORDER BY share.org_id, share.queue
    FOR UPDATE OF share
), led_by AS MATERIALIZED (
    SELECT coming.id, coming.place, coming.stretch,
           coalesce(shares.lead_seconds, 0)
           + (sum(coming.predicted_ms) OVER (PARTITION BY coming.org_id, coming.queue ORDER BY coming.place)
              - coming.predicted_ms) / 1000 / coalesce(shares.rate, %(rate)s) AS lead_seconds,
           -- how far the queue is behind, where the leader has said so of late
           coalesce(least(coalesce(backlog.heads[array_position(backlog.head_types::text[], coming.type::text)],
                                   CASE WHEN coming.type <> 'external' THEN backlog.frontier END)
                          - date_part('epoch', clock_timestamp()), 0), 0) AS share_offset,
           shares.newest_rank
    FROM coming
    LEFT JOIN shares ON shares.org_id = coming.org_id AND shares.queue = coming.queue
    LEFT JOIN jobs_backlog AS backlog
      ON backlog.queue = coming.queue AND backlog.measured_at > clock_timestamp() - make_interval(secs => %(stale_seconds)s)
), spaced AS MATERIALIZED (
    SELECT id, place, share_offset,
           -- of a queue in order of arrival also behind the last that came
           greatest(greatest(lead_seconds, %(least_seconds)s) * stretch,
                    CASE WHEN newest_rank > 0
                    THEN newest_rank + lead_seconds - date_part('epoch', clock_timestamp()) - share_offset END) AS rank_offset
    FROM led_by
), led AS (
    INSERT INTO jobs_queueshare AS share (org_id, queue, lead_until, rate, mean_log_ms, mean_square, jobs, looked_at)
    SELECT org_id, queue, clock_timestamp() + make_interval(secs => cost_seconds / %(rate)s), %(rate)s,
           ln(%(typical_ms)s), power(ln(%(typical_ms)s), 2) + power(%(spread)s, 2), 0, to_timestamp(0)
    FROM streams
    ORDER BY org_id, queue
    ON CONFLICT (org_id, queue) DO UPDATE
    SET lead_until = greatest(share.lead_until, clock_timestamp())
                     + (excluded.lead_until - clock_timestamp()) * (excluded.rate / share.rate),
        newest_rank = CASE WHEN share.newest_rank > 0
                           THEN greatest(share.newest_rank, date_part('epoch', share.lead_until))
                                + date_part('epoch', excluded.lead_until - clock_timestamp()) * (excluded.rate / share.rate)
                      ELSE 0 END
)
