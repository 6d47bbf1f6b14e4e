-- Fold runs that ended into what is remembered of their keys, into the sums of their hours and into the counts of runs:
-- what is deleted here was added here.
WITH oldest AS MATERIALIZED (
    SELECT id FROM jobs_rundelta ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM jobs_rundelta WHERE id = ANY (ARRAY(SELECT id FROM oldest))
    RETURNING *
), run AS MATERIALIZED (
    SELECT id, org_id, person, type, name, one.*, ln(least(greatest(one.runtime_ms, 1), 604800000)) AS x
    FROM taken
    CROSS JOIN LATERAL unnest(
        runtimes_ms, taken.failed, taken.ended, taken.predicted_ms, taken.predicted_low_ms, taken.predicted_high_ms,
        taken.failure_probability, taken.model_version
    ) WITH ORDINALITY AS one (
        runtime_ms, failed, ended, predicted_ms, predicted_low_ms, predicted_high_ms, failure_probability,
        model_version, place
    )
), {{remembered}}, {{judged}}, {{hours}}
SELECT count(*) AS folded FROM taken
