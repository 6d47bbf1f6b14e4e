-- Jobs that have their leads (led) are stored, queued where they are due, logged and audited; and what enqueue.sql and
-- enqueue_one.sql answer of each that is new.
placed AS (
    SELECT led.*, date_part('epoch', moment) AS epoch,
           -- greatest() passes over a null: of a queue that nobody serves nothing is said
           CASE WHEN NOT later AND wait_seconds IS NOT NULL
                THEN greatest(wait_seconds + (rank_offset - offset_seconds) * wait_slope, 0) END AS wait
    FROM led
), stored AS (
    INSERT INTO jobs_job (
        id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category,
        predicted_ms, predicted_low_ms, predicted_high_ms, failure_probability, prediction_source, model_version, priority,
        rank_offset, share_offset, stretch, expected_start_at, expected_start_low_at, expected_start_high_at,
        status, run_at, timeout_seconds, max_attempts, attempt, attempt_limit, life,
        idempotency_key, fingerprint, correlation_id, created_by_id, created_at, queued_at,
        outcome, error_type, error, limit_key, waiting_on, batch_id, retry, tags
    )
    SELECT id, %(org_id)s::bigint, queue, type, name, coalesce(title, ''), coalesce(description, ''), payload, payload_bytes,
           urgency, coalesce(category, ''), predicted_ms, predicted_low_ms, predicted_high_ms,
           failure_probability, prediction_source, model_version, priority,
           rank_offset, CASE WHEN later THEN 0 ELSE share_offset END, stretch,
           to_timestamp(epoch + wait), to_timestamp(epoch + CASE WHEN wait IS NOT NULL THEN greatest((wait + 1) * early_ratio - 1, 0) END),
           to_timestamp(epoch + (wait + 1) * late_ratio - 1), CASE WHEN later THEN 'scheduled' ELSE 'queued' END,
           due_at, timeout_seconds, max_attempts, 0, max_attempts, 1,
           idempotency_key, coalesce(fingerprint, ''), %(correlation_id)s, %(user_id)s::bigint, moment,
           CASE WHEN NOT later THEN moment END,
           '', '', '', coalesce(limit_key, ''), coalesce(waiting_on, 0), batch_id, retry, coalesce(tags, '{}')
    FROM placed
    -- a queue that is closed takes nothing new; what was promised before comes in
    WHERE NOT %(counted)s::boolean OR NOT EXISTS (
        SELECT FROM jobs_queue AS closed
        WHERE closed.org_id = %(org_id)s::bigint AND closed.name = placed.queue AND closed.closed_at IS NOT NULL)
    ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, org_id, queue, type, name, status, created_at, run_at, queued_at, rank_offset, share_offset, predicted_ms,
              limit_key, expected_start_at, expected_start_low_at, expected_start_high_at
), waiting AS (
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, kind_held, limit_key)
    SELECT id, org_id, queue, type, date_part('epoch', queued_at) + share_offset + rank_offset, queued_at, 0,
           predicted_ms, {{held}}, {{kind_held}}, {{limit_key}}
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
    -- one entry for the call of a person himself or with a key of his, in the transaction of what it did
    INSERT INTO orgs_auditentry (org_id, actor_id, actor_name, key_prefix, action, target, detail, address, correlation_id, at)
    SELECT %(org_id)s::bigint, %(user_id)s::bigint, %(user_name)s,
           CASE WHEN starts_with(%(actor)s, 'key:') THEN substr(%(actor)s, 5) ELSE '' END, 'job.submit',
           CASE count(*) WHEN 1 THEN min(id::text) ELSE count(*) || ' jobs' END,
           CASE count(*) WHEN 1 THEN '{}' ELSE jsonb_build_object('jobs', jsonb_agg(id)) END,
           %(address)s::inet, %(correlation_id)s, clock_timestamp()
    FROM stored
    WHERE %(user_id)s::bigint IS NOT NULL AND %(actor)s ~ '^(user|key):'
    HAVING count(*) > 0
)
SELECT id, queue, CASE WHEN status = 'queued' THEN date_part('epoch', queued_at) + share_offset + rank_offset END AS rank,
       EXISTS (SELECT FROM waiting WHERE limit_key IS NOT NULL) AS limited
