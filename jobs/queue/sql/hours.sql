-- Add runs, or sums of them (`judged`), to the sums of their hours and to the counts of their organisations.
hours AS (
    SELECT org_id, hour, model_version, sum(runs) AS runs, sum(log2_error) AS log2_error, sum(log2_bias) AS log2_bias,
           sum(relative_error) AS relative_error, sum(within_2x) AS within_2x, sum(ranged) AS ranged,
           sum(in_range) AS in_range, sum(risked) AS risked, sum(risk) AS risk, sum(failed) AS failed
    FROM judged
    GROUP BY org_id, hour, model_version
), summed AS (
    INSERT INTO jobs_accuracy AS kept (
        org_id, hour, model_version, runs, log2_error, log2_bias, relative_error, within_2x, ranged, in_range,
        risked, risk, failed
    )
    SELECT org_id, hour, model_version, runs, log2_error, log2_bias, relative_error, within_2x, ranged, in_range,
           risked, risk, failed
    FROM hours
    ORDER BY org_id, hour, model_version
    ON CONFLICT (org_id, hour, model_version) DO UPDATE
    SET runs = kept.runs + excluded.runs,
        log2_error = kept.log2_error + excluded.log2_error,
        log2_bias = kept.log2_bias + excluded.log2_bias,
        relative_error = kept.relative_error + excluded.relative_error,
        within_2x = kept.within_2x + excluded.within_2x,
        ranged = kept.ranged + excluded.ranged,
        in_range = kept.in_range + excluded.in_range,
        risked = kept.risked + excluded.risked,
        risk = kept.risk + excluded.risk,
        failed = kept.failed + excluded.failed
), counted AS (
    INSERT INTO jobs_learning AS known (org_id, runs)
    SELECT org_id, sum(runs) FROM hours GROUP BY org_id ORDER BY org_id
    ON CONFLICT (org_id) DO UPDATE SET runs = known.runs + excluded.runs
)
