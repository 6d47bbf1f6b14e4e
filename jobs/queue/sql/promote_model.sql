-- Use a version of an organisation's model from now on, in the place of the one in use; only if that is still the
-- expected one (0: none), where one is expected. Of two at once the index modelversion_one_active lets one through.
WITH former AS (
    UPDATE jobs_modelversion SET active = false
    WHERE org_id = %(org_id)s AND active AND version <> %(version)s
      AND (%(expected)s::int IS NULL OR version = %(expected)s)
    RETURNING version
), place AS MATERIALIZED (
    -- counted first: the one in use must be out of the index before the other comes in
    SELECT max(version) AS version FROM former
)
UPDATE jobs_modelversion AS wanted
SET active = true, promoted_at = clock_timestamp(), promoted_by = %(by)s,
    previous = CASE WHEN %(back)s THEN wanted.previous ELSE place.version END
FROM place
WHERE wanted.org_id = %(org_id)s AND wanted.version = %(version)s AND NOT wanted.active
  AND (%(expected)s::int IS NULL OR coalesce(place.version, 0) = %(expected)s)
RETURNING wanted.version, place.version AS former
