-- Count what was answered from memory, what anew, and what people corrected.
INSERT INTO jobs_classifiercount AS known (org_id, hits, misses, corrections)
VALUES (%(org_id)s, %(hits)s, %(misses)s, %(corrections)s)
ON CONFLICT (org_id) DO UPDATE
SET hits = known.hits + excluded.hits, misses = known.misses + excluded.misses,
    corrections = known.corrections + excluded.corrections
