-- The newest attempts of an organisation in a span, up to a bound, oldest first; of a queue or type, among no more than
-- the newest %(read)s.
WITH newest AS MATERIALIZED (
    SELECT job_id, type, name, queue, outcome, ended_at, runtime_ms
    FROM jobs_attempt
    WHERE org_id = %(org_id)s AND ended_at > statement_timestamp() - make_interval(hours => %(hours)s)
    ORDER BY ended_at DESC
    LIMIT %(read)s
), found AS (
    SELECT * FROM newest
    WHERE (%(queue)s = '' OR queue = %(queue)s) AND (%(type)s = '' OR type = %(type)s)
    ORDER BY ended_at DESC
    LIMIT %(attempts)s
)
SELECT job_id, type, name, outcome, ended_at, runtime_ms FROM found ORDER BY ended_at
