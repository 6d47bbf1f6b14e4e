-- What waits in a queue of an organisation by kind, the kinds with most first: among the first of all that waits of it.
WITH oldest AS MATERIALIZED (
    SELECT job_id, queue, queued_at, kind_held FROM jobs_ready
    WHERE org_id = %(org_id)s::bigint
    ORDER BY queued_at
    LIMIT %(bound)s
), here AS MATERIALIZED (
    SELECT job_id, queued_at, kind_held FROM oldest WHERE queue = %(queue)s::text ORDER BY queued_at LIMIT %(most)s
), known AS MATERIALIZED (
    SELECT id, type, name FROM jobs_job WHERE id = ANY (ARRAY(SELECT job_id FROM here))
)
SELECT known.type, known.name, count(*)::int AS jobs, min(here.queued_at) AS waiting_since, bool_or(kind_held) AS held
FROM here JOIN known ON known.id = here.job_id
GROUP BY known.type, known.name
ORDER BY count(*) DESC, known.type, known.name
LIMIT 20
