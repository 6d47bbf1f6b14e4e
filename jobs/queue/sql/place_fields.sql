-- Where a job comes into its queue (jobs.queue.places), of its own or of the first of many.
share_offset float8, lead_seconds float8, least_seconds float8, rate float8,
wait_seconds float8, offset_seconds float8, wait_slope float8, early_ratio float8, late_ratio float8
