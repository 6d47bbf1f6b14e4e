-- What is remembered of the keys of runs (`run`): predictor.memory.remember() for all of a key at once. A mean after n runs
-- is its value before times (1 - decay)^n, and each run weighs decay * (1 - decay)^(how many are newer). Exponents and
-- values before have bounds, for float8 refuses what is too small for it.
placed AS (
    SELECT org_id, level.number AS level, level.key, runtime_ms, failed, ended, x,
           least(count(*) OVER of_key - row_number() OVER (of_key ORDER BY ended, id, place), 600) AS newer
    FROM run
    CROSS JOIN LATERAL (VALUES
        (0, person || chr(31) || type || chr(31) || name), (1, type || chr(31) || name), (2, person), (3, type), (4, '')
    ) AS level (number, key)
    WINDOW of_key AS (PARTITION BY org_id, level.number, level.key)
), weighed AS (
    -- OFFSET keeps the weights from being worked out anew in each sum
    SELECT *, 0.5 * 0.5::float8 ^ newer AS fast, 0.2 * 0.8::float8 ^ newer AS even, 0.05 * 0.95::float8 ^ newer AS slow
    FROM placed
    OFFSET 0
), remembered AS (
    INSERT INTO jobs_runtimememory AS known (
        org_id, level, key, runs, failures, means, squares, failed, last_ended, recent_ms, recent_failed, recent_ended
    )
    SELECT org_id, level, key, count(*), count(*) FILTER (WHERE failed),
           ARRAY[sum(fast * x), sum(even * x), sum(slow * x)],
           ARRAY[sum(fast * x * x), sum(even * x * x), sum(slow * x * x)],
           coalesce(sum(even) FILTER (WHERE failed), 0), max(ended),
           array_agg(runtime_ms ORDER BY newer DESC) FILTER (WHERE level < 2 AND newer < 16),
           array_agg(failed ORDER BY newer DESC) FILTER (WHERE level < 2 AND newer < 16),
           array_agg(ended ORDER BY newer DESC) FILTER (WHERE level < 2 AND newer < 17)
    FROM weighed
    GROUP BY org_id, level, key
    ORDER BY org_id, level, key
    ON CONFLICT (org_id, level, key) DO UPDATE
    SET runs = known.runs + excluded.runs,
        failures = known.failures + excluded.failures,
        means = ARRAY[
            greatest(known.means[1], 1e-100) * 0.5::float8 ^ least(excluded.runs, 600) + excluded.means[1],
            greatest(known.means[2], 1e-100) * 0.8::float8 ^ least(excluded.runs, 600) + excluded.means[2],
            greatest(known.means[3], 1e-100) * 0.95::float8 ^ least(excluded.runs, 600) + excluded.means[3]],
        squares = ARRAY[
            greatest(known.squares[1], 1e-100) * 0.5::float8 ^ least(excluded.runs, 600) + excluded.squares[1],
            greatest(known.squares[2], 1e-100) * 0.8::float8 ^ least(excluded.runs, 600) + excluded.squares[2],
            greatest(known.squares[3], 1e-100) * 0.95::float8 ^ least(excluded.runs, 600) + excluded.squares[3]],
        failed = greatest(known.failed, 1e-100) * 0.8::float8 ^ least(excluded.runs, 600) + excluded.failed,
        last_ended = greatest(known.last_ended, excluded.last_ended),
        recent_ms = (known.recent_ms || excluded.recent_ms)
                    [greatest(cardinality(known.recent_ms || excluded.recent_ms) - 15, 1):],
        recent_failed = (known.recent_failed || excluded.recent_failed)
                        [greatest(cardinality(known.recent_failed || excluded.recent_failed) - 15, 1):],
        recent_ended = (known.recent_ended || excluded.recent_ended)
                       [greatest(cardinality(known.recent_ended || excluded.recent_ended) - 16, 1):]
)
