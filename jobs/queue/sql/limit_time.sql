-- Give up a statement of this transaction that takes longer.
SELECT set_config('statement_timeout', %(milliseconds)s::text, true)
