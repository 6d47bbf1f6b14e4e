-- Forget answers to texts, of the oldest %(batch)s: those that are old, and those beyond as many as are kept.
WITH oldest AS MATERIALIZED (
    SELECT id, at FROM jobs_classifiedtext ORDER BY at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM jobs_classifiedtext
    WHERE id = ANY (ARRAY(
        SELECT id FROM oldest
        WHERE at < clock_timestamp() - make_interval(days => %(days)s)
           OR id <= (SELECT max(id) FROM jobs_classifiedtext) - %(rows)s
    ))
    RETURNING id
)
SELECT count(*) AS answers FROM gone
