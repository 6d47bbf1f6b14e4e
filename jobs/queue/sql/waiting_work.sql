-- What waits in a queue for workers and may be claimed, no more than %(bound)s jobs in all and as many of each type, those
-- that come first (work: type, org_id, rank, predicted_ms). For keep_shares.sql and keep_backlog.sql.
served AS MATERIALIZED (
    SELECT type FROM unnest(%(types)s::text[]) AS known (type)
    WHERE EXISTS (SELECT FROM jobs_ready AS ready
                  WHERE ready.queue = %(queue)s AND ready.type = known.type AND NOT ready.held AND ready.limit_key IS NULL)
), each AS MATERIALIZED (
    SELECT %(bound)s / greatest(count(*), 1) AS jobs FROM served
), work AS MATERIALIZED (
    SELECT served.type, head.org_id, head.rank, head.predicted_ms
    FROM served
    CROSS JOIN LATERAL (
        SELECT ready.org_id, ready.rank, ready.predicted_ms
        FROM jobs_ready AS ready
        WHERE ready.queue = %(queue)s AND ready.type = served.type AND NOT ready.held AND ready.limit_key IS NULL
        ORDER BY ready.rank, ready.job_id
        LIMIT (SELECT jobs FROM each)
    ) AS head
)
