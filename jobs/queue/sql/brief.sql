-- Let the server end this session if it does nothing for so long before it ends the transaction.
SELECT set_config('idle_in_transaction_session_timeout', %(milliseconds)s::text, true)
