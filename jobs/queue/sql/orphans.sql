-- Which of these files have no row: first by the id in the name, then, for names of older versions, by the name.
WITH shown AS (
    SELECT name, id FROM unnest(%(names)s::text[], %(ids)s::uuid[]) AS found (name, id)
    WHERE NOT EXISTS (SELECT FROM jobs_artefact AS known WHERE known.id = found.id)
), strangers AS MATERIALIZED (
    SELECT array_agg(name) AS names FROM shown
)
SELECT shown.name FROM shown
WHERE shown.name <> ALL (ARRAY(
    SELECT file FROM jobs_artefact WHERE file = ANY ((SELECT names FROM strangers)::text[])
))
