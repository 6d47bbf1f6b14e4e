-- Counts of errors from long ago, at most %(batch)s of them; groups and values of filters that were not seen since.
WITH counts AS (
    DELETE FROM jobs_errorcount WHERE id = ANY (ARRAY(
        SELECT id FROM jobs_errorcount WHERE hour < clock_timestamp() - make_interval(days => %(days)s)
        ORDER BY hour LIMIT %(batch)s))
), groups AS (
    DELETE FROM jobs_errorgroup WHERE id = ANY (ARRAY(
        SELECT id FROM jobs_errorgroup WHERE last_at < clock_timestamp() - make_interval(days => %(days)s)
        LIMIT %(batch)s))
)
DELETE FROM jobs_searchfacet WHERE id = ANY (ARRAY(
    SELECT id FROM jobs_searchfacet WHERE seen_at < clock_timestamp() - make_interval(days => %(days)s)
    LIMIT %(batch)s))
