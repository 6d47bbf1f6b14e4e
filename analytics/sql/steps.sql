-- What a person has done lately in an organisation, by its newest moves: submitted, seen one done, replayed one.
WITH newest AS MATERIALIZED (
    SELECT job_id, from_status, to_status, actor
    FROM jobs_transition
    -- BETWEEN and both columns in the order: only the index of the organisation gives that. Ordered by id alone, the
    -- primary key would be read backwards past everybody else's moves.
    WHERE org_id BETWEEN %(org_id)s AND %(org_id)s
    ORDER BY org_id DESC, id DESC
    LIMIT %(bound)s
), own AS MATERIALIZED (
    SELECT job_id FROM newest WHERE actor = %(actor)s AND from_status IS NULL
)
SELECT EXISTS (SELECT FROM own) AS submitted,
       EXISTS (SELECT FROM newest WHERE to_status = 'done' AND job_id IN (SELECT job_id FROM own)) AS done,
       EXISTS (SELECT FROM newest WHERE actor = %(actor)s AND from_status = 'failed') AS replayed
