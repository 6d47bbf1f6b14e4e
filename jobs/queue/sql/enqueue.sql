-- Store many jobs, put the due ones in order and log the moves with one statement; a single job: enqueue_one.sql.
-- A job whose idempotency key exists is left out of the answer. What they have all alike is sent once: to read each
-- field of each job would take a third of the time.
WITH asked AS (
    SELECT id, title, description, payload, payload_bytes, category, run_at, delay_seconds, idempotency_key, fingerprint,
           limit_key, waiting_on, batch_id, retry, tags, position, to_classify,
           coalesce(job.queue, alike.queue) AS queue,
           coalesce(job.type, alike.type) AS type,
           coalesce(job.name, alike.name) AS name,
           coalesce(job.urgency, alike.urgency) AS urgency,
           coalesce(job.predicted_ms, alike.predicted_ms) AS predicted_ms,
           coalesce(job.predicted_low_ms, alike.predicted_low_ms) AS predicted_low_ms,
           coalesce(job.predicted_high_ms, alike.predicted_high_ms) AS predicted_high_ms,
           coalesce(job.failure_probability, alike.failure_probability) AS failure_probability,
           coalesce(job.prediction_source, alike.prediction_source) AS prediction_source,
           coalesce(job.model_version, alike.model_version) AS model_version,
           coalesce(job.priority, alike.priority) AS priority,
           coalesce(job.stretch, alike.stretch) AS stretch,
           coalesce(job.place, alike.place) AS place,
           coalesce(job.timeout_seconds, alike.timeout_seconds) AS timeout_seconds,
           coalesce(job.max_attempts, alike.max_attempts) AS max_attempts
    FROM json_to_recordset(%(jobs)s::json) AS job ({{job_fields}}, position int, place int)
    CROSS JOIN json_to_record(%(alike)s::json) AS alike (
        queue text, type text, name text, urgency text, predicted_ms float8, predicted_low_ms float8,
        predicted_high_ms float8, failure_probability float8, prediction_source text, model_version int,
        priority float8, stretch float8, place int, timeout_seconds int, max_attempts int
    )
), {{timed}}, led AS (
    -- each job behind those of the call that come into its queue before it (jobs.ranking)
    SELECT timed.*, share_offset, wait_seconds, offset_seconds, wait_slope, early_ratio, late_ratio,
           greatest(least_seconds, lead_seconds + (
               sum(CASE WHEN later THEN 0 ELSE predicted_ms END) OVER (PARTITION BY stream ORDER BY position)
               - CASE WHEN later THEN 0 ELSE predicted_ms END) / 1000 / rate) * stretch AS rank_offset
    FROM timed
    JOIN json_to_recordset(%(places)s::json) AS spot ({{place_fields}}, place int, stream int) USING (place)
    -- two batches with the same keys wait for each other in one order
    ORDER BY idempotency_key, position
), {{stored}}
FROM stored
