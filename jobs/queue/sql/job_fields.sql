-- What enqueue.sql and enqueue_one.sql are told of a job.
id uuid, queue text, type text, name text, title text, description text, payload jsonb, payload_bytes int,
urgency text, category text, predicted_ms float8, predicted_low_ms float8, predicted_high_ms float8,
failure_probability float8, prediction_source text, model_version int, priority float8, stretch float8,
run_at timestamptz, delay_seconds float8, timeout_seconds int, max_attempts int,
idempotency_key text, fingerprint text, limit_key text, waiting_on int, batch_id uuid, retry jsonb, tags text[], to_classify text
