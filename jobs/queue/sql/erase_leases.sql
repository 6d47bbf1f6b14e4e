-- Ask the workers that run something of an organisation that is erased to stop; after a while take its leases away: what
-- still runs then is fenced, and writes nothing any more.
WITH late AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM orgs_org WHERE id = %(org_id)s
                   AND erasing_at < statement_timestamp() - make_interval(secs => %(stop_seconds)s)) AS is_over
), fenced AS (
    DELETE FROM jobs_lease WHERE org_id = %(org_id)s AND (SELECT is_over FROM late)
    RETURNING queue
), counted AS (
    -- without a lease a job is one that waits, until it goes itself
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT %(org_id)s, queue, status, change.jobs
    FROM (SELECT queue, count(*) AS jobs FROM fenced GROUP BY queue) AS were
    CROSS JOIN LATERAL (VALUES ('running', -were.jobs), ('queued', were.jobs)) AS change (status, jobs)
), asked AS (
    UPDATE jobs_lease SET cancel_requested = true
    WHERE org_id = %(org_id)s AND NOT cancel_requested AND NOT (SELECT is_over FROM late)
    RETURNING worker_id
)
SELECT (SELECT is_over FROM late) AS fenced,
       (SELECT count(*) FROM jobs_lease WHERE org_id = %(org_id)s) AS leases,
       coalesce((SELECT array_agg(DISTINCT worker_id) FROM asked), '{}') AS workers
