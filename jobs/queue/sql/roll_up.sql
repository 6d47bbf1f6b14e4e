-- Add attempts that ended, and jobs that were made, to the sums of their minutes, hours and days: of all of their
-- organisation, and of their queue, type and name. Each is in one range of ids that is added once (queue/rollups.py).
-- First by the minute, and what that leaves, which is little, to the rest.
WITH level AS (
    SELECT * FROM unnest(%(seconds)s::int[], %(days)s::int[]) AS level (seconds, days)
), ended AS MATERIALIZED (
    SELECT attempt.org_id, date_trunc('minute', attempt.ended_at, 'UTC') AS minute,
           coalesce(attempt.queue, job.queue, '') AS queue, attempt.type, attempt.name, attempt.outcome,
           -- of versions before: as far as the job still tells
           CASE WHEN attempt.queue IS NOT NULL THEN attempt.to_status
                WHEN job.attempt = attempt.number THEN job.status ELSE 'scheduled' END AS to_status,
           date_part('epoch', attempt.started_at - CASE
               WHEN attempt.queue IS NOT NULL THEN attempt.queued_at
               WHEN job.attempt = attempt.number AND job.queued_at <= attempt.started_at THEN job.queued_at
           END) * 1000 AS wait_ms,
           attempt.runtime_ms, attempt.predicted_ms, attempt.outcome IN ('done', 'error', 'timeout') AS judged,
           ln(greatest(attempt.predicted_ms, 1) / greatest(attempt.runtime_ms, 1)) / ln(2::float8) AS log2_ratio,
           attempt.predicted_low_ms, attempt.predicted_high_ms
    FROM jobs_attempt AS attempt
    LEFT JOIN LATERAL (
        SELECT queue, status, attempt, queued_at FROM jobs_job
        WHERE attempt.queue IS NULL AND id = attempt.job_id
        LIMIT 1  -- by the primary key row by row, never by a scan of all jobs
    ) AS job ON true
    WHERE attempt.id > %(attempts_after)s AND attempt.id <= %(attempts_upto)s
), made AS MATERIALIZED (
    SELECT move.org_id, date_trunc('minute', move.at, 'UTC') AS minute, move.queue, coalesce(job.type, '?') AS type,
           coalesce(job.name, '') AS name
    FROM jobs_transition AS move
    LEFT JOIN LATERAL (SELECT type, name FROM jobs_job WHERE id = move.job_id LIMIT 1) AS job ON true
    WHERE move.id > %(moves_after)s AND move.id <= %(moves_upto)s AND move.from_status IS NULL
), summed AS MATERIALIZED (
    -- counts are int here and below: sums of bigint would be numeric, at several times the cost
    SELECT org_id, minute, queue, type, name,
           count(*) FILTER (WHERE outcome = 'done')::int AS done,
           count(*) FILTER (WHERE outcome = 'error')::int AS error,
           count(*) FILTER (WHERE outcome = 'timeout')::int AS timeout,
           count(*) FILTER (WHERE outcome = 'crashed')::int AS crashed,
           count(*) FILTER (WHERE outcome = 'lost')::int AS lost,
           count(*) FILTER (WHERE outcome = 'cancelled')::int AS cancelled,
           count(*) FILTER (WHERE outcome = 'released')::int AS released,
           (count(*) FILTER (WHERE outcome IN ('error', 'timeout', 'crashed', 'lost')
                               AND to_status IN ('scheduled', 'queued')))::int AS retried,
           count(*) FILTER (WHERE to_status = 'failed')::int AS dead,
           0 AS created,
           count(wait_ms)::int AS waited, coalesce(sum(greatest(wait_ms, 0)), 0) AS wait_ms,
           coalesce(sum(runtime_ms) FILTER (WHERE outcome = 'done'), 0) AS run_ms,
           coalesce(sum(predicted_ms) FILTER (WHERE outcome = 'done'), 0) AS predicted_ms,
           count(*) FILTER (WHERE judged)::int AS judged,
           coalesce(sum(abs(log2_ratio)) FILTER (WHERE judged), 0) AS log2_error,
           coalesce(sum(log2_ratio) FILTER (WHERE judged), 0) AS log2_bias,
           coalesce(sum(abs(2 ^ log2_ratio - 1)) FILTER (WHERE judged), 0) AS relative_error,
           count(*) FILTER (WHERE judged AND predicted_low_ms IS NOT NULL)::int AS ranged,
           count(*) FILTER (WHERE judged AND runtime_ms BETWEEN predicted_low_ms AND predicted_high_ms)::int AS in_range
    FROM ended
    GROUP BY org_id, minute, queue, type, name
    UNION ALL
    SELECT org_id, minute, queue, type, name, 0, 0, 0, 0, 0, 0, 0, 0, 0, count(*)::int, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM made
    GROUP BY org_id, minute, queue, type, name
), binned AS MATERIALIZED (
    SELECT org_id, minute, queue, type, name, bin, count(*)::int AS jobs
    FROM ended
    CROSS JOIN LATERAL (
        -- as jobs/histograms.py has it
        SELECT measure * 1000 + 100 + floor(ln(least(greatest(ms, 0.125), 1e12)) / ln(2::float8) * 8)::int AS bin
        FROM (VALUES (1, wait_ms), (2, CASE outcome WHEN 'done' THEN runtime_ms END),
                     (3, CASE outcome WHEN 'done' THEN ended.predicted_ms END)) AS told (measure, ms)
        WHERE ms IS NOT NULL
        UNION ALL
        SELECT 4500 + floor(least(greatest(log2_ratio, -100), 100) * 4)::int WHERE judged
    ) AS bins
    GROUP BY org_id, minute, queue, type, name, bin
), kind AS MATERIALIZED (
    SELECT org_id, date_trunc('day', minute, 'UTC') AS day, queue, type, name,
           sum(done + error + timeout + crashed + lost + cancelled + released + created) AS weight
    FROM summed
    GROUP BY 1, 2, 3, 4, 5
), known AS MATERIALIZED (
    SELECT org_id, at AS day, queue, type, name
    FROM jobs_rollup
    WHERE seconds = 86400 AND type <> '' AND name <> ''
      AND (org_id, at) IN (SELECT org_id, day FROM kind)
), full_days AS MATERIALIZED (
    SELECT org_id, day, count(*) AS kinds FROM known GROUP BY org_id, day
), placed AS MATERIALIZED (
    -- More kinds in a day than these go together, by type.
    SELECT kind.org_id, kind.day, kind.queue, kind.type, kind.name,
           known.day IS NOT NULL
           OR coalesce(full_days.kinds, 0)
              + row_number() OVER (PARTITION BY kind.org_id, kind.day, known.day IS NULL
                                   ORDER BY kind.weight DESC, kind.queue, kind.type, kind.name) <= %(kinds)s AS own
    FROM kind
    LEFT JOIN known USING (org_id, day, queue, type, name)
    LEFT JOIN full_days ON full_days.org_id = kind.org_id AND full_days.day = kind.day
), place AS MATERIALIZED (
    -- where each kind of a day goes: to itself or to others of its type, and to all; by a number, which is sorted faster
    SELECT *, dense_rank() OVER (ORDER BY org_id, to_queue, to_type, to_name)::int AS target
    FROM (
        SELECT org_id, day, queue, type, name, CASE WHEN own THEN queue ELSE '' END AS to_queue, type AS to_type,
               CASE WHEN own THEN name ELSE '' END AS to_name
        FROM placed
        UNION ALL
        SELECT org_id, day, queue, type, name, '', '', '' FROM placed
    ) AS either
), levelled AS (
    SELECT target, level.seconds, date_bin(make_interval(secs => level.seconds), minute, '2001-01-01 00:00+00') AS at,
           max(org_id) AS org_id, max(to_queue COLLATE "C") AS queue, max(to_type COLLATE "C") AS type,
           max(to_name COLLATE "C") AS name,
           sum(done)::int AS done, sum(error)::int AS error, sum(timeout)::int AS timeout, sum(crashed)::int AS crashed,
           sum(lost)::int AS lost, sum(cancelled)::int AS cancelled, sum(released)::int AS released,
           sum(retried)::int AS retried, sum(dead)::int AS dead, sum(created)::int AS created,
           sum(waited)::int AS waited, sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms,
           sum(predicted_ms) AS predicted_ms, sum(judged)::int AS judged, sum(log2_error) AS log2_error,
           sum(log2_bias) AS log2_bias, sum(relative_error) AS relative_error, sum(ranged)::int AS ranged,
           sum(in_range)::int AS in_range
    FROM (SELECT *, date_trunc('day', minute, 'UTC') AS day FROM summed) AS told
    JOIN place USING (org_id, day, queue, type, name)
    JOIN level ON minute > statement_timestamp() - make_interval(days => level.days)
    GROUP BY 1, 2, 3
), filled AS (
    SELECT target, seconds, at, array_agg(bin ORDER BY bin) AS bins, array_agg(jobs ORDER BY bin) AS counts
    FROM (
        SELECT target, level.seconds, date_bin(make_interval(secs => level.seconds), minute, '2001-01-01 00:00+00') AS at,
               bin, sum(jobs) AS jobs
        FROM (SELECT *, date_trunc('day', minute, 'UTC') AS day FROM binned) AS told
        JOIN place USING (org_id, day, queue, type, name)
        JOIN level ON minute > statement_timestamp() - make_interval(days => level.days)
        GROUP BY 1, 2, 3, 4
    ) AS one
    GROUP BY target, seconds, at
), added AS (
    -- put beside each other, not joined: nobody tells the planner how many there are of either
    SELECT max(org_id) AS org_id, seconds, at, max(queue) AS queue, max(type) AS type, max(name) AS name,
           sum(done) AS done, sum(error) AS error, sum(timeout) AS timeout, sum(crashed) AS crashed, sum(lost) AS lost,
           sum(cancelled) AS cancelled, sum(released) AS released, sum(retried) AS retried, sum(dead) AS dead,
           sum(created) AS created, sum(waited) AS waited, sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms,
           sum(predicted_ms) AS predicted_ms, sum(judged) AS judged, sum(log2_error) AS log2_error,
           sum(log2_bias) AS log2_bias, sum(relative_error) AS relative_error, sum(ranged) AS ranged,
           sum(in_range) AS in_range, coalesce(max(bins), '{}') AS bins, coalesce(max(counts), '{}') AS counts
    FROM (
        SELECT *, NULL::int[] AS bins, NULL::bigint[] AS counts FROM levelled
        UNION ALL
        SELECT target, seconds, at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, bins, counts
        FROM filled
    ) AS either
    GROUP BY target, seconds, at
), kept AS (
    INSERT INTO jobs_rollup AS kept (
        org_id, seconds, at, queue, type, name, done, error, timeout, crashed, lost, cancelled, released, retried,
        dead, created, waited, wait_ms, run_ms, predicted_ms, judged, log2_error, log2_bias, relative_error, ranged,
        in_range, bins, counts
    )
    SELECT org_id, seconds, at, queue, type, name, done, error, timeout, crashed, lost, cancelled, released, retried,
           dead, created, waited, wait_ms, run_ms, predicted_ms, judged, log2_error, log2_bias, relative_error, ranged,
           in_range, bins, counts
    FROM added
    ORDER BY org_id, seconds, at, queue, type, name
    ON CONFLICT (org_id, seconds, at, queue, type, name) DO UPDATE
    SET done = kept.done + excluded.done, error = kept.error + excluded.error,
        timeout = kept.timeout + excluded.timeout, crashed = kept.crashed + excluded.crashed,
        lost = kept.lost + excluded.lost, cancelled = kept.cancelled + excluded.cancelled,
        released = kept.released + excluded.released, retried = kept.retried + excluded.retried,
        dead = kept.dead + excluded.dead, created = kept.created + excluded.created,
        waited = kept.waited + excluded.waited, wait_ms = kept.wait_ms + excluded.wait_ms,
        run_ms = kept.run_ms + excluded.run_ms, predicted_ms = kept.predicted_ms + excluded.predicted_ms,
        judged = kept.judged + excluded.judged, log2_error = kept.log2_error + excluded.log2_error,
        log2_bias = kept.log2_bias + excluded.log2_bias,
        relative_error = kept.relative_error + excluded.relative_error, ranged = kept.ranged + excluded.ranged,
        in_range = kept.in_range + excluded.in_range,
        (bins, counts) = (
            SELECT coalesce(array_agg(bin ORDER BY bin), '{}'), coalesce(array_agg(jobs ORDER BY bin), '{}')
            FROM (SELECT bin, sum(jobs) AS jobs
                  FROM (SELECT * FROM unnest(kept.bins, kept.counts) AS before (bin, jobs)
                        UNION ALL
                        SELECT * FROM unnest(excluded.bins, excluded.counts) AS come (bin, jobs)) AS either
                  GROUP BY bin) AS merged
        )
    RETURNING 1
)
SELECT count(*) AS rows FROM kept
