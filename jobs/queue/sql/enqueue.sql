-- Store jobs, put the due ones in order and log the moves: one statement for one job or a thousand.
-- A job whose idempotency key exists is left out of the answer. What they have all alike is sent once: to read each
-- field of each job would take a third of the time.
WITH asked AS (
    SELECT id, title, description, payload, payload_bytes, category, predicted_low_ms, predicted_high_ms,
           model_version, run_at, delay_seconds, idempotency_key, fingerprint, limit_key, waiting_on, batch_id, retry,
           position, to_classify,
           coalesce(job.queue, alike.queue) AS queue,
           coalesce(job.type, alike.type) AS type,
           coalesce(job.name, alike.name) AS name,
           coalesce(job.urgency, alike.urgency) AS urgency,
           coalesce(job.predicted_ms, alike.predicted_ms) AS predicted_ms,
           coalesce(job.prediction_source, alike.prediction_source) AS prediction_source,
           coalesce(job.priority, alike.priority) AS priority,
           coalesce(job.rank_offset, alike.rank_offset) AS rank_offset,
           coalesce(job.timeout_seconds, alike.timeout_seconds) AS timeout_seconds,
           coalesce(job.max_attempts, alike.max_attempts) AS max_attempts
    FROM json_to_recordset(%(jobs)s::json) AS job (
        id uuid, queue text, type text, name text, title text, description text, payload jsonb, payload_bytes int,
        urgency text, category text, predicted_ms float8, predicted_low_ms float8, predicted_high_ms float8,
        prediction_source text, model_version int, priority float8, rank_offset float8,
        run_at timestamptz, delay_seconds float8, timeout_seconds int, max_attempts int,
        idempotency_key text, fingerprint text, limit_key text, waiting_on int, batch_id uuid, retry jsonb, position int,
        to_classify text
    )
    CROSS JOIN json_to_record(%(alike)s::json) AS alike (
        queue text, type text, name text, urgency text, predicted_ms float8, prediction_source text, priority float8,
        rank_offset float8, timeout_seconds int, max_attempts int
    )
), read AS MATERIALIZED (
    -- one reading of the clock a row: rows of a batch keep their order, and a delay of 0 is due at once
    SELECT asked.*, clock_timestamp() AS moment FROM asked
), timed AS (
    SELECT read.*, coalesce(run_at, moment + make_interval(secs => delay_seconds)) AS due_at FROM read
), stored AS (
    INSERT INTO jobs_job (
        id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category,
        predicted_ms, predicted_low_ms, predicted_high_ms, prediction_source, model_version, priority, rank_offset,
        status, run_at, timeout_seconds, max_attempts, attempt, attempt_limit, life,
        idempotency_key, fingerprint, correlation_id, created_by_id, created_at, queued_at,
        outcome, error_type, error, limit_key, waiting_on, batch_id, retry
    )
    SELECT id, %(org_id)s::bigint, queue, type, name, coalesce(title, ''), coalesce(description, ''), payload, payload_bytes,
           urgency, coalesce(category, ''), predicted_ms, predicted_low_ms, predicted_high_ms, prediction_source, model_version, priority,
           rank_offset, CASE WHEN waiting_on > 0 OR due_at > moment THEN 'scheduled' ELSE 'queued' END,
           due_at, timeout_seconds, max_attempts, 0, max_attempts, 1,
           idempotency_key, coalesce(fingerprint, ''), %(correlation_id)s, %(user_id)s::bigint, moment,
           CASE WHEN waiting_on > 0 OR due_at > moment THEN NULL ELSE moment END,
           '', '', '', coalesce(limit_key, ''), coalesce(waiting_on, 0), batch_id, retry
    FROM timed
    -- two batches with the same keys wait for each other in one order
    ORDER BY idempotency_key, position
    ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, org_id, queue, type, status, run_at, queued_at, rank_offset, predicted_ms, limit_key, created_at
), waiting AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, limit_key)
    SELECT id, org_id, queue, type, date_part('epoch', queued_at) + rank_offset, queued_at, 0,
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
SELECT id, queue, CASE WHEN status = 'queued' THEN date_part('epoch', queued_at) + rank_offset END AS rank,
       EXISTS (SELECT FROM waiting WHERE limit_key IS NOT NULL) AS limited,
       -- what only the database knows of a job that is stored alone, for whoever shows it
       CASE WHEN %(alone)s::boolean THEN status END, CASE WHEN %(alone)s::boolean THEN run_at END,
       CASE WHEN %(alone)s::boolean THEN created_at END
FROM stored
