-- Hold the leader's open term for the length of a transaction; no row when the term is over. A leader that stops
-- within the transaction would hold it for ever: the server ends its session after as long as others wait.
SELECT epoch, set_config('idle_in_transaction_session_timeout', %(idle_milliseconds)s::text, true)
FROM jobs_leaderterm WHERE epoch = %(epoch)s AND ended_at IS NULL
FOR KEY SHARE
