-- What an organisation's past says of kinds of jobs: the last runs of each (type, name) that was seen before, and for
-- the types of those that were not, the median over a bounded number of their kinds (with the name null).
WITH asked AS (
    SELECT DISTINCT type, name FROM unnest(%(types)s::text[], %(names)s::text[]) AS kind (type, name)
), known AS MATERIALIZED (
    SELECT asked.type, asked.name, history.runtimes_ms, history.gaps_seconds, history.failed
    FROM asked LEFT JOIN jobs_runtimehistory AS history
      ON history.org_id = %(org_id)s AND history.type = asked.type AND history.name = asked.name
)
SELECT type, name, runtimes_ms, gaps_seconds, failed, NULL AS median FROM known WHERE runtimes_ms IS NOT NULL
UNION ALL
SELECT new.type, NULL, NULL, NULL, NULL, (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)
    FROM (SELECT runtimes_ms FROM jobs_runtimehistory WHERE org_id = %(org_id)s AND type = new.type
          ORDER BY org_id, type, name  -- by the index, whatever share of the table is this organisation's
          LIMIT %(bound)s) AS kind, unnest(kind.runtimes_ms) AS ms)
FROM (SELECT DISTINCT type FROM known WHERE runtimes_ms IS NULL) AS new
