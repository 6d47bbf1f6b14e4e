-- How near the predictions were to the runs that settle.sql ends, for fold_accuracy.sql.
judged AS (
    INSERT INTO jobs_accuracydelta (
        org_id, hour, model_version, runs, log2_error, log2_bias, relative_error, within_2x, ranged, in_range,
        risked, risk, failed
    )
    SELECT org_id, date_trunc('hour', ended_at, 'UTC'), coalesce(model_version, 0), count(*), sum(abs(log2_ratio)),
           sum(log2_ratio), sum(abs(2 ^ log2_ratio - 1)), count(*) FILTER (WHERE abs(log2_ratio) <= 1),
           count(predicted_low_ms),
           count(*) FILTER (WHERE milliseconds BETWEEN predicted_low_ms AND predicted_high_ms),
           count(failure_probability), coalesce(sum(failure_probability), 0),
           count(failure_probability) FILTER (WHERE outcome <> 'done')
    FROM decided
    CROSS JOIN LATERAL (SELECT date_part('epoch', ended_at - leased_at) * 1000 AS milliseconds) AS took
    CROSS JOIN LATERAL (
        SELECT ln(greatest(predicted_ms, 1) / greatest(milliseconds, 1)) / ln(2::float8) AS log2_ratio
    ) AS compared
    WHERE outcome IN ('done', 'error', 'timeout')
    GROUP BY 1, 2, 3
)
