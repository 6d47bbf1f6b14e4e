-- Let the statements of this transaction look rows up by index: of a table that grows and is emptied again the planner
-- knows too little.
SELECT set_config('enable_seqscan', 'off', true)
