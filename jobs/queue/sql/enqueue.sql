-- Store jobs, put the due ones in order and log the moves: one statement for one job or a thousand.
-- A job whose idempotency key exists is left out of the answer. What they have all alike is sent once: to read each
-- field of each job would take a third of the time.
WITH asked AS (
    SELECT id, title, description, payload, payload_bytes, category, run_at, delay_seconds, idempotency_key, fingerprint,
           limit_key, waiting_on, batch_id, retry, position, to_classify,
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
    FROM json_to_recordset(%(jobs)s::json) AS job (
        id uuid, queue text, type text, name text, title text, description text, payload jsonb, payload_bytes int,
        urgency text, category text, predicted_ms float8, predicted_low_ms float8, predicted_high_ms float8,
        failure_probability float8, prediction_source text, model_version int, priority float8, stretch float8, place int,
        run_at timestamptz, delay_seconds float8, timeout_seconds int, max_attempts int,
        idempotency_key text, fingerprint text, limit_key text, waiting_on int, batch_id uuid, retry jsonb, position int,
        to_classify text
    )
    CROSS JOIN json_to_record(%(alike)s::json) AS alike (
        queue text, type text, name text, urgency text, predicted_ms float8, predicted_low_ms float8,
        predicted_high_ms float8, failure_probability float8, prediction_source text, model_version int,
        priority float8, stretch float8, place int, timeout_seconds int, max_attempts int
    )
), read AS MATERIALIZED (
    -- one reading of the clock a row: rows of a batch keep their order, and a delay of 0 is due at once
    SELECT asked.*, clock_timestamp() AS moment FROM asked
), timed AS (
    SELECT read.*, due_at, coalesce(waiting_on > 0 OR due_at > moment, false) AS later
    FROM read CROSS JOIN LATERAL (
        SELECT coalesce(run_at, moment + make_interval(secs => delay_seconds)) AS due_at) AS time
), led AS (
    -- each job behind those of the call that come into its queue before it (jobs.ranking)
    SELECT timed.*, spot.share_offset, spot.early_ratio, spot.late_ratio, spot.wait_seconds, spot.offset_seconds,
           spot.wait_slope, date_part('epoch', moment) AS epoch,
           greatest(spot.least_seconds, spot.lead_seconds + (
               sum(CASE WHEN later THEN 0 ELSE predicted_ms END) OVER (PARTITION BY spot.stream ORDER BY position)
               - predicted_ms) / 1000 / spot.rate) * stretch AS rank_offset
    FROM timed
    JOIN json_to_recordset(%(places)s::json) AS spot (
        place int, stream int, share_offset float8, lead_seconds float8, least_seconds float8, rate float8,
        wait_seconds float8, offset_seconds float8, wait_slope float8, early_ratio float8, late_ratio float8
    ) ON spot.place = timed.place
), placed AS (
    SELECT led.*, CASE WHEN NOT later
                  THEN greatest(wait_seconds + (rank_offset - offset_seconds) * wait_slope, 0) END AS wait
    FROM led
), stored AS (
    INSERT INTO jobs_job (
        id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category,
        predicted_ms, predicted_low_ms, predicted_high_ms, failure_probability, prediction_source, model_version, priority,
        rank_offset, share_offset, stretch, expected_start_at, expected_start_low_at, expected_start_high_at,
        status, run_at, timeout_seconds, max_attempts, attempt, attempt_limit, life,
        idempotency_key, fingerprint, correlation_id, created_by_id, created_at, queued_at,
        outcome, error_type, error, limit_key, waiting_on, batch_id, retry
    )
    SELECT id, %(org_id)s::bigint, queue, type, name, coalesce(title, ''), coalesce(description, ''), payload, payload_bytes,
           urgency, coalesce(category, ''), predicted_ms, predicted_low_ms, predicted_high_ms,
           failure_probability, prediction_source, model_version, priority,
           rank_offset, CASE WHEN later THEN 0 ELSE share_offset END, stretch,
           to_timestamp(epoch + wait), to_timestamp(epoch + greatest((wait + 1) * early_ratio - 1, 0)),
           to_timestamp(epoch + (wait + 1) * late_ratio - 1), CASE WHEN later THEN 'scheduled' ELSE 'queued' END,
           due_at, timeout_seconds, max_attempts, 0, max_attempts, 1,
           idempotency_key, coalesce(fingerprint, ''), %(correlation_id)s, %(user_id)s::bigint, moment,
           CASE WHEN NOT later THEN moment END,
           '', '', '', coalesce(limit_key, ''), coalesce(waiting_on, 0), batch_id, retry
    FROM placed
    -- two batches with the same keys wait for each other in one order
    ORDER BY idempotency_key, position
    ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, org_id, queue, type, status, run_at, queued_at, rank_offset, share_offset, predicted_ms, limit_key, created_at,
              stretch, expected_start_at, expected_start_low_at, expected_start_high_at
), waiting AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, limit_key)
    SELECT id, org_id, queue, type, date_part('epoch', queued_at) + share_offset + rank_offset, queued_at, 0,
           predicted_ms, {{held}}, {{limit_key}}
    FROM stored AS job
    WHERE status = 'queued'
    RETURNING limit_key
), unread AS (
    INSERT INTO jobs_toclassify (job_id, org_id, category, urgency, due_at)
    SELECT id, org_id, to_classify ~ 'category', to_classify ~ 'urgency', created_at
    FROM timed JOIN stored USING (id)
    -- most calls bring none, and need not look through their jobs for it
    WHERE %(unread)s::boolean AND to_classify IS NOT NULL
), named AS (
    -- a queue is made with its first job; sorted like the keys
    INSERT INTO jobs_queue (org_id, name, pause_reason)
    SELECT DISTINCT org_id, queue, '' FROM stored
    WHERE NOT EXISTS (SELECT FROM jobs_queue AS known WHERE known.org_id = stored.org_id AND known.name = stored.queue)
    ORDER BY org_id, queue
    ON CONFLICT DO NOTHING
), moved AS (
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, NULL, status, 0, %(actor)s, '', created_at
    FROM stored
), audited AS (
    -- one entry for the call of a person himself, in the transaction of what it did
    INSERT INTO orgs_auditentry (org_id, actor_id, actor_name, action, target, detail, address, correlation_id, at)
    SELECT %(org_id)s::bigint, %(user_id)s::bigint, substr(%(actor)s, 6), 'job.submit',
           CASE count(*) WHEN 1 THEN min(id::text) ELSE count(*) || ' jobs' END,
           CASE count(*) WHEN 1 THEN '{}' ELSE jsonb_build_object('jobs', jsonb_agg(id)) END,
           %(address)s::inet, %(correlation_id)s, clock_timestamp()
    FROM stored
    WHERE %(user_id)s::bigint IS NOT NULL AND starts_with(%(actor)s, 'user:')
    HAVING count(*) > 0
)
SELECT id, queue, CASE WHEN status = 'queued' THEN date_part('epoch', queued_at) + share_offset + rank_offset END AS rank,
       EXISTS (SELECT FROM waiting WHERE limit_key IS NOT NULL) AS limited,
       -- what only the database knows of a job that is stored alone, for whoever shows it
       CASE WHEN %(alone)s::boolean THEN json_build_object(
           'status', status, 'created_at', created_at, 'run_at', run_at, 'rank_offset', rank_offset,
           'share_offset', share_offset, 'expected_start_at', expected_start_at,
           'expected_start_low_at', expected_start_low_at, 'expected_start_high_at', expected_start_high_at) END::text
FROM stored
