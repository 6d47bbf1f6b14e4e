-- How near the predictions of all organisations were to the runs that ended in this hour and the one before.
SELECT coalesce(sum(runs), 0)::bigint AS runs,
       sum(relative_error) / sum(runs) AS mape,
       sum(log2_error) / sum(runs) AS log2_error,
       sum(in_range)::float8 / nullif(sum(ranged), 0) AS coverage
FROM jobs_accuracy
WHERE hour > statement_timestamp() - interval '2 hours'
