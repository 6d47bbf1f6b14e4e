-- Store one job, put it in order if it is due, and log the move: enqueue.sql without what tells many apart, which would
-- be a sixth of the server's time.
WITH asked AS (
    SELECT * FROM json_to_record(%(job)s::json) AS job ({{job_fields}}, {{place_fields}})
), {{timed}}, led AS (
    -- with nothing of the call before it
    SELECT timed.*, greatest(least_seconds, lead_seconds) * stretch AS rank_offset FROM timed
), {{stored}},
       -- what only the database knows of the job, for whoever shows it
       json_build_object(
           'status', status, 'created_at', created_at, 'run_at', run_at, 'rank_offset', rank_offset,
           'share_offset', share_offset, 'expected_start_at', expected_start_at,
           'expected_start_low_at', expected_start_low_at, 'expected_start_high_at', expected_start_high_at)::text
FROM stored
