-- Let the server end this session if it does nothing for so long before it ends the transaction; sooner, where that
-- was asked for already.
SELECT set_config(
    'idle_in_transaction_session_timeout',
    least(
        nullif(extract(epoch FROM current_setting('idle_in_transaction_session_timeout')::interval) * 1000, 0),
        %(milliseconds)s
    )::int::text,
    true
)
