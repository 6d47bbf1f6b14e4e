-- What a person has done lately in an organisation, by its newest moves: submitted, seen one done, replayed one; and the
-- newest job of his, and of those that failed. And whether he has called the API: only it gives out tokens, or a key of his
-- was used.
WITH newest AS MATERIALIZED (
    SELECT id, job_id, from_status, to_status, actor
    FROM jobs_transition
    -- BETWEEN and both columns in the order: only the index of the organisation gives that. Ordered by id alone, the
    -- primary key would be read backwards past everybody else's moves.
    WHERE org_id BETWEEN %(org_id)s AND %(org_id)s
    ORDER BY org_id DESC, id DESC
    LIMIT %(bound)s
), own AS MATERIALIZED (
    SELECT id, job_id FROM newest WHERE actor = %(actor)s AND from_status IS NULL
)
SELECT EXISTS (SELECT FROM own) AS submitted,
       EXISTS (SELECT FROM newest WHERE to_status = 'done' AND job_id IN (SELECT job_id FROM own)) AS done,
       EXISTS (SELECT FROM newest WHERE actor = %(actor)s AND from_status = 'failed') AS replayed,
       (SELECT job_id FROM own ORDER BY id DESC LIMIT 1) AS newest,
       (SELECT job_id FROM newest WHERE to_status = 'failed' AND job_id IN (SELECT job_id FROM own)
        ORDER BY id DESC LIMIT 1) AS dead,
       EXISTS (SELECT FROM token_blacklist_outstandingtoken WHERE user_id = %(user_id)s)
       OR EXISTS (SELECT FROM orgs_apikey
                  WHERE created_by_id = %(user_id)s AND org_id = %(org_id)s AND last_used_at IS NOT NULL) AS called
