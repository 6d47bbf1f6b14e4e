-- The words of jobs, as they are now; and values that filters are to offer. One that was deleted meanwhile has none.
WITH told AS MATERIALIZED (
    SELECT entry.* FROM json_to_recordset(%(entries)s::json)
        AS entry (job_id uuid, org_id bigint, words text[], error_fingerprint text)
    WHERE EXISTS (SELECT FROM jobs_job WHERE id = entry.job_id)
), stored AS (
    INSERT INTO jobs_searchentry AS entry (job_id, org_id, words, error_fingerprint)
    SELECT job_id, org_id, array_to_tsvector(words), error_fingerprint FROM told ORDER BY job_id
    ON CONFLICT (job_id) DO UPDATE SET words = excluded.words, error_fingerprint = excluded.error_fingerprint
    WHERE entry.words <> excluded.words OR entry.error_fingerprint <> excluded.error_fingerprint
)
INSERT INTO jobs_searchfacet AS facet (org_id, kind, value, seen_at)
SELECT org_id, kind, value, statement_timestamp()
FROM json_to_recordset(%(facets)s::json) AS seen (org_id bigint, kind text, value text)
WHERE (SELECT count(*) FROM (SELECT FROM jobs_searchfacet AS kept
                             WHERE kept.org_id = seen.org_id AND kept.kind = seen.kind LIMIT %(most)s) AS few) < %(most)s
   OR EXISTS (SELECT FROM jobs_searchfacet AS kept
              WHERE kept.org_id = seen.org_id AND kept.kind = seen.kind AND kept.value = seen.value)
ORDER BY org_id, kind, value
ON CONFLICT (org_id, kind, value) DO UPDATE SET seen_at = excluded.seen_at
WHERE facet.seen_at < statement_timestamp() - interval '1 hour'
