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
    SELECT coming.id, coming.place, coming.stretch, shares.newest_rank,
           coalesce(shares.lead_seconds, 0) AS lead_seconds,
           (sum(coming.predicted_ms) OVER (PARTITION BY coming.org_id, coming.queue ORDER BY coming.place)
            - coming.predicted_ms) / 1000 / coalesce(shares.rate, %(rate)s) AS before_seconds,
           -- how far the queue is behind, where the leader has said so of late
           coalesce(least(front.rank - date_part('epoch', clock_timestamp()), 0), 0) AS share_offset
    FROM coming
    LEFT JOIN shares ON shares.org_id = coming.org_id AND shares.queue = coming.queue
    LEFT JOIN jobs_backlog AS backlog
      ON backlog.queue = coming.queue AND backlog.measured_at > clock_timestamp() - make_interval(secs => %(stale_seconds)s)
    CROSS JOIN LATERAL (
        -- of its type, or as the type that keeps up best, the first that another organisation has
        SELECT coalesce(max(rank) FILTER (WHERE type = coming.type),
                        CASE WHEN bool_or(type = coming.type) THEN NULL ELSE max(rank) FILTER (WHERE served) END) AS rank
        FROM (SELECT head.type, head.served, CASE WHEN head.org_id <> coming.org_id THEN head.rank ELSE head.other END AS rank
              FROM unnest(backlog.head_types, backlog.heads, backlog.head_orgs, backlog.others, backlog.served)
                   AS head (type, rank, org_id, other, served)
              WHERE coming.type <> 'external') AS known
    ) AS front
), spaced AS MATERIALIZED (
    SELECT id, place, share_offset,
           -- of a queue in order of arrival also behind the last that came
           greatest(greatest(lead_seconds + before_seconds, %(least_seconds)s) * stretch,
                    CASE WHEN newest_rank > 0
                    THEN newest_rank + before_seconds - date_part('epoch', clock_timestamp()) - share_offset END) AS rank_offset
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
                           THEN greatest(share.newest_rank, date_part('epoch', share.lead_until),
                                         date_part('epoch', clock_timestamp()) + %(least_seconds)s)
                                + date_part('epoch', excluded.lead_until - clock_timestamp()) * (excluded.rate / share.rate)
                      ELSE 0 END
)
