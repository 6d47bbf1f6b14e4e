-- How near the predictions of an organisation came, by interval, from the hours that the leader has folded.
SELECT date_bin(make_interval(secs => %(stride_seconds)s), hour, '2001-01-01 00:00+00') AS at,
       sum(runs)::bigint AS runs,
       sum(relative_error) / sum(runs)::float8 AS mape,
       sum(log2_error) / sum(runs)::float8 AS malr,
       sum(log2_bias) / sum(runs)::float8 AS bias,
       sum(within_2x)::float8 / sum(runs)::float8 AS within_2x,
       sum(in_range)::float8 / nullif(sum(ranged), 0)::float8 AS coverage,
       sum(risk) / nullif(sum(risked), 0)::float8 AS failures_expected,
       sum(failed)::float8 / nullif(sum(risked), 0)::float8 AS failures
FROM jobs_accuracy
WHERE org_id = %(org_id)s AND hour > statement_timestamp() - make_interval(hours => %(hours)s + 1)
GROUP BY 1
ORDER BY 1
