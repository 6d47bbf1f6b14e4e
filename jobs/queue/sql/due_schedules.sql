-- Take the schedules that are due, the longest due first, and hold them for the length of the leader's transaction. Those
-- of an organisation that is not active stay due: once it is, the times that passed are missed ones.
SELECT id, statement_timestamp() AS now
FROM jobs_schedule
WHERE next_at <= statement_timestamp()
  AND NOT coalesce(org_id = ANY ({{halted_orgs}}), false)
ORDER BY next_at
LIMIT %(batch)s
FOR UPDATE SKIP LOCKED
