-- The last lines of some attempts of a job, each read from its own end of the index.
SELECT tail.attempt, tail.sequence, tail.stream, tail.text, tail.at
FROM unnest(%(attempts)s::int[]) AS shown (attempt)
CROSS JOIN LATERAL (
    SELECT line.attempt, line.sequence, line.stream, line.text, line.at
    FROM jobs_logline AS line
    WHERE line.job_id = %(job_id)s AND line.attempt = shown.attempt
    ORDER BY line.sequence DESC
    LIMIT %(lines)s
) AS tail
ORDER BY tail.attempt, tail.sequence
