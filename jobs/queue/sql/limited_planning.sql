-- The next statement takes longer to plan than to run, looks costlier than it is, and is to be planned for
-- tables that have grown since.
set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true),
set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'on', true)
