-- Take what workers of the version before leave: their runs for fold_runs.sql, and how near their predictions were, which
-- they have summed up themselves. Goes with those two tables a release later.
WITH oldest AS MATERIALIZED (
    SELECT id FROM jobs_memorydelta ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM jobs_memorydelta WHERE id = ANY (ARRAY(SELECT id FROM oldest))
    RETURNING id, org_id, person, type, name, runtimes_ms, failed, ended
), brought AS (
    INSERT INTO jobs_rundelta (
        org_id, person, type, name, runtimes_ms, failed, ended, predicted_ms, predicted_low_ms, predicted_high_ms,
        failure_probability, model_version
    )
    SELECT org_id, person, type, name, runtimes_ms, failed, ended, '{}', '{}', '{}', '{}', '{}' FROM taken ORDER BY id
), oldest_sums AS MATERIALIZED (
    SELECT id FROM jobs_accuracydelta ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), judged AS (
    DELETE FROM jobs_accuracydelta WHERE id = ANY (ARRAY(SELECT id FROM oldest_sums))
    RETURNING *
), {{hours}}
SELECT greatest((SELECT count(*) FROM taken), (SELECT count(*) FROM judged)) AS folded
