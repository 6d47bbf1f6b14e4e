-- Remember answers to texts. Sorted, so that two batches lock the rows in one order.
INSERT INTO jobs_classifiedtext (org_id, digest, version, answer, at)
SELECT %(org_id)s, digest, version, answer, clock_timestamp()
FROM json_to_recordset(%(answers)s::json) AS told (digest text, version text, answer jsonb)
ORDER BY digest, version
ON CONFLICT (org_id, digest, version) DO NOTHING
