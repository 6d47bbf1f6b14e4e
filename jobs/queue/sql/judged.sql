-- How near the prediction of each run (`run`) was, as jobs_accuracy sums it up. A ratio is predicted / actual.
judged AS (
    SELECT org_id, date_trunc('hour', to_timestamp(ended), 'UTC') AS hour, coalesce(model_version, 0) AS model_version,
           1 AS runs, abs(log2_ratio) AS log2_error, log2_ratio AS log2_bias, abs(2 ^ log2_ratio - 1) AS relative_error,
           (abs(log2_ratio) <= 1)::int AS within_2x,
           (predicted_low_ms IS NOT NULL)::int AS ranged,
           coalesce(runtime_ms BETWEEN predicted_low_ms AND predicted_high_ms, false)::int AS in_range,
           (failure_probability IS NOT NULL)::int AS risked, coalesce(failure_probability, 0) AS risk,
           (failure_probability IS NOT NULL AND failed)::int AS failed
    FROM (
        SELECT *, ln(greatest(predicted_ms, 1) / greatest(runtime_ms, 1)) / ln(2::float8) AS log2_ratio
        FROM run
        WHERE predicted_ms IS NOT NULL
        -- keeps the ratio from being worked out anew in each sum
        OFFSET 0
    ) AS compared
)
