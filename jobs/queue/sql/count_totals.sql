-- Add the attempts and moves of these ranges of ids, the same that roll_up.sql adds, to what has happened since the
-- beginning, by job type.
WITH attempt AS MATERIALIZED (
    SELECT type, outcome, to_status, runtime_ms, greatest(date_part('epoch', started_at - queued_at) * 1000, 0) AS wait_ms,
           outcome IN ('error', 'timeout', 'crashed', 'lost') AS failed, outcome IN ('done', 'error', 'timeout') AS judged
    FROM jobs_attempt
    WHERE id > %(attempts_after)s AND id <= %(attempts_upto)s
), move AS MATERIALIZED (
    SELECT job.type, move.from_status, move.to_status
    FROM jobs_transition AS move
    -- by the primary key row by row, never by a scan of all jobs
    LEFT JOIN LATERAL (SELECT type FROM jobs_job WHERE id = move.job_id LIMIT 1) AS job ON true
    WHERE move.id > %(moves_after)s AND move.id <= %(moves_upto)s
      AND (move.from_status IS NULL OR move.from_status = 'failed' OR move.to_status IN ('done', 'failed', 'cancelled'))
), summed AS (
    SELECT type, 0 AS created, 0 AS done, 0 AS dead, 0 AS cancelled, 0 AS replayed,
           count(*) FILTER (WHERE failed) AS failed,
           count(*) FILTER (WHERE failed AND to_status IN ('scheduled', 'queued')) AS retried,
           count(*) FILTER (WHERE outcome = 'lost') AS lost,
           coalesce(sum(wait_ms), 0) AS wait_ms,
           coalesce(sum(runtime_ms) FILTER (WHERE outcome = 'done'), 0) AS run_ms,
           coalesce(sum(runtime_ms) FILTER (WHERE judged), 0) AS processing_ms
    FROM attempt
    GROUP BY type
    UNION ALL
    SELECT type, count(*) FILTER (WHERE from_status IS NULL), count(*) FILTER (WHERE to_status = 'done'),
           count(*) FILTER (WHERE to_status = 'failed'), count(*) FILTER (WHERE to_status = 'cancelled'),
           count(*) FILTER (WHERE from_status = 'failed'), 0, 0, 0, 0, 0, 0
    FROM move
    GROUP BY type
), binned AS (
    SELECT type, bin, count(*) AS attempts
    FROM attempt
    CROSS JOIN LATERAL (
        -- as jobs/histograms.py has it
        SELECT measure * 1000 + 100 + floor(ln(least(greatest(ms, 0.125), 1e12)) / ln(2::float8) * 8)::int AS bin
        FROM (VALUES (1, wait_ms), (2, CASE outcome WHEN 'done' THEN runtime_ms END),
                     (5, CASE WHEN judged THEN runtime_ms END)) AS told (measure, ms)
        WHERE ms IS NOT NULL
    ) AS bins
    GROUP BY type, bin
), filled AS (
    SELECT type, array_agg(bin ORDER BY bin) AS bins, array_agg(attempts ORDER BY bin) AS counts
    FROM (
        SELECT CASE WHEN type = ANY (%(types)s) THEN type ELSE %(other)s END AS type, bin, sum(attempts)::bigint AS attempts
        FROM binned
        GROUP BY 1, 2
    ) AS folded
    GROUP BY type
), added AS (
    SELECT CASE WHEN type = ANY (%(types)s) THEN type ELSE %(other)s END AS type,
           sum(created)::bigint AS created, sum(done)::bigint AS done, sum(dead)::bigint AS dead,
           sum(cancelled)::bigint AS cancelled, sum(replayed)::bigint AS replayed, sum(failed)::bigint AS failed,
           sum(retried)::bigint AS retried, sum(lost)::bigint AS lost, sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms,
           sum(processing_ms) AS processing_ms
    FROM summed
    GROUP BY 1
), kept AS (
    INSERT INTO jobs_total AS kept (
        type, created, done, dead, cancelled, replayed, failed, retried, lost, wait_ms, run_ms, processing_ms, bins, counts
    )
    SELECT added.*, coalesce(bins, '{}'), coalesce(counts, '{}') FROM added LEFT JOIN filled USING (type)
    ON CONFLICT (type) DO UPDATE
    SET created = kept.created + excluded.created, done = kept.done + excluded.done, dead = kept.dead + excluded.dead,
        cancelled = kept.cancelled + excluded.cancelled, replayed = kept.replayed + excluded.replayed,
        failed = kept.failed + excluded.failed, retried = kept.retried + excluded.retried, lost = kept.lost + excluded.lost,
        wait_ms = kept.wait_ms + excluded.wait_ms, run_ms = kept.run_ms + excluded.run_ms,
        processing_ms = kept.processing_ms + excluded.processing_ms,
        (bins, counts) = (
            SELECT coalesce(array_agg(bin ORDER BY bin), '{}'), coalesce(array_agg(attempts ORDER BY bin), '{}')
            FROM (SELECT bin, sum(attempts) AS attempts
                  FROM (SELECT * FROM unnest(kept.bins, kept.counts) AS before (bin, attempts)
                        UNION ALL
                        SELECT * FROM unnest(excluded.bins, excluded.counts) AS come (bin, attempts)) AS either
                  GROUP BY bin) AS merged
        )
    RETURNING 1
)
SELECT count(*) AS rows FROM kept
