-- Take the schedules that are due, the longest due first, and hold them for the length of the leader's transaction.
SELECT id, statement_timestamp() AS now
FROM jobs_schedule
WHERE next_at <= statement_timestamp()
ORDER BY next_at
LIMIT %(batch)s
FOR UPDATE SKIP LOCKED
