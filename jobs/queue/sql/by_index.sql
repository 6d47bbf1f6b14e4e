-- In this transaction rows are looked up by index where there is one: of an organisation with most of the rows all would be
-- read from the beginning, each time past those that are gone.
SELECT count(set_config(name, 'off', true))
FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) AS name
