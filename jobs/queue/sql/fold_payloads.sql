-- Fold the changes of what payloads take into the sums. Both are read in one statement, so a reader always sums exactly.
WITH oldest AS MATERIALIZED (
    SELECT id FROM jobs_payloaddelta ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM jobs_payloaddelta WHERE id = ANY (ARRAY(SELECT id FROM oldest))
    RETURNING org_id, payload_bytes
), kept AS (
    INSERT INTO jobs_payloadcount AS kept (org_id, payload_bytes)
    SELECT org_id, sum(payload_bytes) FROM taken
    GROUP BY org_id
    ORDER BY org_id
    ON CONFLICT (org_id) DO UPDATE SET payload_bytes = kept.payload_bytes + excluded.payload_bytes
)
SELECT count(*) AS folded FROM taken
