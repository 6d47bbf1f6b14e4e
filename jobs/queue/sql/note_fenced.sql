-- Say of attempts that were lost that their worker came back later, and was refused.
UPDATE jobs_attempt AS attempt
SET fenced_at = clock_timestamp()
FROM unnest(%(job_ids)s::uuid[], %(numbers)s::int[]) AS late (job_id, number)
WHERE attempt.job_id = late.job_id AND attempt.number = late.number
  AND attempt.outcome = 'lost' AND attempt.fenced_at IS NULL
