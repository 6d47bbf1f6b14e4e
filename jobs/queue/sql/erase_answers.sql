-- Forget how often an organisation's texts were answered from memory. What it was goes to nobody's row, so that the
-- counters over all do not fall.
WITH gone AS (
    DELETE FROM jobs_classifiercount WHERE org_id = %(org_id)s RETURNING hits, misses
)
INSERT INTO jobs_classifiercount AS known (org_id, hits, misses, corrections)
SELECT 0, hits, misses, 0 FROM gone
ON CONFLICT (org_id) DO UPDATE SET hits = known.hits + excluded.hits, misses = known.misses + excluded.misses
RETURNING org_id
